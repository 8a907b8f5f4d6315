//! The servers of the comparison.

use std::{path::Path, process::Command};

use clap::ValueEnum;

use crate::case::{Case, Kind, Room};

/// Server of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Candidate {
    /// echo-server with --log-messages off
    Ours,
    /// echo-server with default settings: two log records per message, in a file
    OursLogged,
    /// bare-echo: an epoll loop per thread with recv and send
    Floor,
    /// Over UDP, bare-echo with a system call for each datagram; the floor has one for a batch
    SingleFloor,
    /// tokio's multi-thread runtime; over WebSocket with tungstenite
    Tokio,
    /// tokio's multi-thread runtime with fastwebsockets, over WebSocket only
    #[value(name = "fastwebsockets")]
    FastWebSockets,
    /// A thread per connection
    Thread,
    /// socat, with a process per connection
    Socat,
    /// ncat, with a process per connection
    Ncat,
    /// A threaded Python server like the original, which logs every message
    Python,
    /// nginx, which ends TLS in front of the plain floor (`stream` with `ssl`)
    Nginx,
    /// stunnel, which ends TLS in front of the plain floor
    Stunnel,
    /// Redis pub/sub, without persistence
    Redis,
    /// nats-server
    Nats,
}

/// Module of nginx for streams, where distributions put it if it is not built in.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

impl Candidate {
    /// Returns its name in the JSON.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("none is hidden").get_name().to_owned()
    }

    /// Returns its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours, log off",
            Self::OursLogged => "ours, log on",
            Self::Floor => "floor",
            Self::SingleFloor => "floor, one by one",
            Self::Tokio => "tokio",
            Self::FastWebSockets => "fastwebsockets",
            Self::Thread => "threads",
            Self::Socat => "socat",
            Self::Ncat => "ncat",
            Self::Python => "Python",
            Self::Nginx => "nginx",
            Self::Stunnel => "stunnel",
            Self::Redis => "Redis",
            Self::Nats => "NATS",
        }
    }

    /// Returns true for a third-party program, which may not be installed and runs in fewer cases.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Socat | Self::Ncat | Self::Python)
            || self.is_proxy()
            || self.is_broker()
    }

    /// Returns true if it runs in few rounds, because it is slow or far from the floor.
    pub(crate) fn runs_seldom(self) -> bool {
        self.is_foreign() && !self.is_broker()
    }

    /// Returns true if it sends the messages of each client to many.
    pub(crate) fn is_broker(self) -> bool {
        matches!(self, Self::Redis | Self::Nats)
    }

    /// Returns true if it ends TLS in front of another server.
    pub(crate) fn is_proxy(self) -> bool {
        matches!(self, Self::Nginx | Self::Stunnel)
    }

    /// Returns true if its program exists.
    pub(crate) fn is_installed(self) -> bool {
        let flag = match self {
            Self::Nginx => "-V",
            Self::Stunnel => "-version",
            _ if self.is_foreign() => "--version",
            _ => return true,
        };
        let Ok(output) = Command::new(self.program()).arg(flag).output() else { return false };
        match self {
            // It has no such flag, but it runs.
            Self::Socat => true,
            Self::Nginx => {
                let built = String::from_utf8_lossy(&output.stderr).contains("--with-stream ");
                output.status.success() && (built || nginx_stream_module().is_some())
            }
            _ => output.status.success(),
        }
    }

    /// Returns what the members of a room speak with it.
    pub(crate) fn wire(self, room: Room) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Nats => "nats",
            Self::Floor => "raw",
            _ if room.lines => "lines",
            _ => "frames",
        }
    }

    /// Returns the name of its executable.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Ours | Self::OursLogged => "echo-server",
            Self::Floor | Self::SingleFloor => "bare-echo",
            Self::Tokio | Self::FastWebSockets => "tokio-echo",
            Self::Thread => "thread-echo",
            Self::Socat => "socat",
            Self::Ncat => "ncat",
            Self::Python => "python3",
            Self::Nginx => "nginx",
            Self::Stunnel => "stunnel",
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    /// Returns true if it runs this case. A process or a Python thread per connection does not support thousands of
    /// connections.
    pub(crate) fn supports(self, case: &Case) -> bool {
        if case.kind.is_tls() {
            // The log costs the same as without TLS.
            return matches!(self, Self::Ours | Self::Floor | Self::Tokio) || self.is_proxy();
        }
        match case.kind {
            Kind::WebSocket { .. } | Kind::WebSocketIdle => {
                return matches!(
                    self,
                    Self::Ours | Self::Floor | Self::Tokio | Self::FastWebSockets
                );
            }
            Kind::Http { .. } => return matches!(self, Self::Ours | Self::Floor),
            Kind::OpenLoop { .. } => {
                return matches!(self, Self::Ours | Self::OursLogged | Self::Floor | Self::Tokio);
            }
            Kind::Datagrams { .. } => {
                return matches!(
                    self,
                    Self::Ours | Self::OursLogged | Self::Floor | Self::SingleFloor | Self::Tokio
                );
            }
            Kind::Room(_) => return matches!(self, Self::Ours | Self::Floor) || self.is_broker(),
            _ => {}
        }
        if self.is_proxy() || self.is_broker() {
            return false;
        }
        if matches!(self, Self::SingleFloor | Self::FastWebSockets) {
            return false;
        }
        if !self.is_foreign() {
            // A machine allows more descriptors than threads.
            return self != Self::Thread || case.kind != Kind::Idle;
        }
        match case.kind {
            Kind::Echo { connections, size, .. } => connections <= 50 && size <= 64 * 1024,
            Kind::Churn { .. } => self == Self::Python,
            _ => false,
        }
    }
}

/// Returns the path of the module of nginx for streams, if it is one of its own.
pub(crate) fn nginx_stream_module() -> Option<&'static Path> {
    Some(Path::new(NGINX_STREAM)).filter(|module| module.exists())
}
