//! The events of a connection's life: level, JSON fields and metric of each. Their text is in `connection_text.rs`, the
//! messages of a connection in `recorder.rs`.
//!
//! A fault of a peer is never an ERROR: that level is for faults of the server.

use std::{io, time::Duration};

use log::{
    Level::{Debug, Error, Info, Warn},
    kv::Value,
};

use super::{
    close_reason::CloseReason,
    connection_id::ConnectionId,
    event::{Declaration, Event},
    fault::Fault,
    handshake_fields::visit_handshake,
    log_throttle::Suppressed,
    receipt::Closed,
};
#[cfg(feature = "login")]
use crate::login::LoginFailure;
use crate::{
    admission::LimitReached,
    layer::{Handshake, LayerError},
    metrics::{Counter, ListenerCounters},
    proxy_protocol::Malformed,
};

/// An event of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionEvent<'a> {
    /// A new client, which may be connected through a proxy.
    Connected {
        through: Option<&'a str>,
        handshake: Option<&'a Handshake>,
    },
    /// The layer of a new client is established.
    HandshakeCompleted {
        handshake: &'a Handshake,
    },
    /// The peer is a user.
    #[cfg(feature = "login")]
    LoggedIn {
        user: &'a str,
        mechanism: &'static str,
    },
    #[cfg(feature = "login")]
    LoginFailed {
        failure: &'a LoginFailure,
    },
    /// A reload has removed the user.
    #[cfg(feature = "login")]
    UserRemoved {
        user: &'a str,
    },
    HandshakeTimedOut {
        after: Duration,
    },
    /// A client behind a proxy that a limit refuses.
    Refused {
        through: &'a str,
        limit: LimitReached,
    },
    /// The first bytes are not the required PROXY header.
    ProxyHeaderInvalid {
        error: &'a Malformed,
        bytes: &'a [u8],
    },
    /// The peer closed in the middle of a PROXY header.
    ProxyHeaderIncomplete {
        bytes: &'a [u8],
    },
    ProxyHeaderTimedOut {
        after: Duration,
        bytes: &'a [u8],
    },
    ExitRequested,
    FrameTooLong {
        payload: u32,
    },
    /// The peer is a member of a room.
    #[cfg(feature = "rooms")]
    RoomJoined {
        room: &'a str,
        name: &'a str,
    },
    /// The peer has left a room.
    #[cfg(feature = "rooms")]
    RoomLeft {
        room: &'a str,
        name: &'a str,
    },
    /// The member was told that it lost messages, because it reads too slowly.
    #[cfg(feature = "rooms")]
    MessagesDropped {
        room: &'a str,
        name: &'a str,
        count: u64,
    },
    /// The member reads too slowly, and is disconnected.
    #[cfg(feature = "rooms")]
    TooSlow {
        waiting: usize,
    },
    /// The peer broke the rules of a protocol with replies: HTTP or WebSocket.
    ProtocolViolated {
        what: &'static str,
    },
    /// The server does not serve what the peer asks for in such a protocol.
    RequestRefused {
        why: &'a str,
    },
    /// The peer was silent in the middle of such a protocol.
    ProtocolTimedOut {
        what: &'static str,
    },
    /// The peer ended its stream without an exit.
    Disconnected {
        reason: CloseReason,
    },
    /// A client of TLS on a listener without it.
    UnexpectedTls,
    /// The peer broke the rules of a layer, with these bytes.
    LayerFailed {
        error: &'a LayerError,
        bytes: &'a [u8],
    },
    /// The connection failed; bytes may be lost.
    Lost {
        error: &'a io::Error,
        unsent: usize,
    },
    WriteTimedOut {
        after: Duration,
        unsent: usize,
    },
    IdleTimedOut {
        after: Duration,
    },
    LingerTimedOut,
    /// The peer has not acknowledged everything that the system has accepted for it.
    DeliveryTimedOut,
    /// The server stops immediately.
    Aborted {
        unsent: usize,
    },
    DrainTimedOut {
        unsent: usize,
    },
    /// The poll refuses the socket.
    RegistrationFailed {
        error: &'a io::Error,
    },
    Panicked,
    /// The close of a connection that was never logged.
    ProbeClosed,
    Closed(Closed<'a>),
}

/// A connection, as its events name and count it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) peer: &'a str,
    /// The counters of its listener in its worker.
    pub(crate) counters: &'a ListenerCounters,
}

/// An event and the connection to which it happens.
pub(super) struct OfConnection<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) event: ConnectionEvent<'a>,
    /// Number of similar events that were not logged.
    pub(super) suppressed: Suppressed,
}

impl Event for OfConnection<'_> {
    fn declaration(&self) -> Declaration {
        use ConnectionEvent as E;
        match self.event {
            E::Connected { .. } => Declaration::new(Info, "connected"),
            E::Refused { .. } => Declaration::new(Warn, "refused"),
            E::ProxyHeaderInvalid { .. }
            | E::ProxyHeaderIncomplete { .. }
            | E::ProxyHeaderTimedOut { .. } => Declaration::new(Warn, "proxy-header"),
            E::ExitRequested => Declaration::new(Info, "exit"),
            #[cfg(feature = "rooms")]
            E::RoomJoined { .. } => Declaration::new(Info, "room-joined"),
            #[cfg(feature = "rooms")]
            E::RoomLeft { .. } => Declaration::new(Info, "room-left"),
            #[cfg(feature = "rooms")]
            E::MessagesDropped { .. } => Declaration::new(Warn, "messages-dropped"),
            #[cfg(feature = "rooms")]
            E::TooSlow { .. } => Declaration::new(Warn, "too-slow"),
            E::FrameTooLong { .. } => Declaration::new(Warn, "frame-too-long"),
            E::ProtocolViolated { .. } => Declaration::new(Warn, "protocol-error"),
            E::RequestRefused { .. } => Declaration::new(Warn, "request-refused"),
            E::ProtocolTimedOut { .. } => Declaration::new(Info, "protocol-timeout"),
            E::Disconnected { .. } | E::Lost { .. } => Declaration::new(Info, "disconnected"),
            E::HandshakeCompleted { .. } => Declaration::new(Info, "handshake"),
            #[cfg(feature = "login")]
            E::LoggedIn { .. } => Declaration::new(Info, "login"),
            #[cfg(feature = "login")]
            E::LoginFailed { .. } => Declaration::new(Warn, "login-failed"),
            #[cfg(feature = "login")]
            E::UserRemoved { .. } => Declaration::new(Info, "user-removed"),
            E::UnexpectedTls => Declaration::new(Warn, "unexpected-tls"),
            E::LayerFailed { error: LayerError::Corrupt(_), .. } => {
                Declaration::new(Warn, "tls-error")
            }
            E::LayerFailed { .. } | E::HandshakeTimedOut { .. } => {
                Declaration::new(Warn, "handshake-failed")
            }
            E::WriteTimedOut { .. } => Declaration::new(Warn, "write-timeout"),
            E::IdleTimedOut { .. } => Declaration::new(Info, "idle-timeout"),
            E::LingerTimedOut => Declaration::new(Info, "linger-timeout"),
            E::DeliveryTimedOut => Declaration::new(Info, "unacknowledged"),
            E::Aborted { .. } => Declaration::new(Warn, "shutdown"),
            E::DrainTimedOut { .. } => Declaration::new(Warn, "drain-timeout"),
            E::RegistrationFailed { .. } => Declaration::new(Error, "not-registered"),
            E::Panicked => Declaration::new(Error, "panic"),
            E::ProbeClosed => Declaration::new(Debug, "probe"),
            E::Closed(_) => Declaration::new(Info, "closed"),
        }
    }

    fn counter<'a>(&self, counters: &'a ListenerCounters) -> Option<&'a Counter> {
        use ConnectionEvent as E;
        Some(match self.event {
            E::Refused { limit, .. } => counters.refused.of(limit.kind()),
            E::ProxyHeaderInvalid { .. }
            | E::ProxyHeaderIncomplete { .. }
            | E::ProxyHeaderTimedOut { .. } => {
                counters.proxy_headers_refused.of(self.fault()?.index())
            }
            E::LayerFailed { error: LayerError::Corrupt(_), .. } => return None,
            E::LayerFailed { .. } => &counters.handshakes.failed,
            E::HandshakeTimedOut { .. } => &counters.handshakes.timed_out,
            #[cfg(feature = "login")]
            E::LoggedIn { .. } => &counters.logins.succeeded,
            #[cfg(feature = "login")]
            E::LoginFailed { .. } => &counters.logins.failed,
            E::Panicked => &counters.panics,
            E::ProbeClosed => &counters.probes,
            _ => return None,
        })
    }

    fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        use ConnectionEvent as E;
        visit("peer", Value::from(self.subject.peer));
        visit("connection", Value::from_display(&self.subject.id));
        if let Some(fault) = self.fault() {
            visit("fault", Value::from(fault.name()));
        }
        match &self.event {
            E::Connected { through, handshake } => {
                if let Some(through) = through {
                    visit("through", Value::from(*through));
                }
                if let Some(handshake) = handshake {
                    visit_handshake(handshake, visit);
                }
            }
            E::HandshakeCompleted { handshake } => visit_handshake(handshake, visit),
            #[cfg(feature = "login")]
            E::LoggedIn { .. } | E::LoginFailed { .. } | E::UserRemoved { .. } => {
                self.visit_login(visit);
            }
            E::Refused { through, .. } => visit("through", Value::from(*through)),
            #[cfg(feature = "rooms")]
            E::RoomJoined { .. }
            | E::RoomLeft { .. }
            | E::MessagesDropped { .. }
            | E::TooSlow { .. } => self.visit_room(visit),
            E::FrameTooLong { payload } => visit("bytes", Value::from(*payload)),
            E::ProtocolViolated { what } | E::ProtocolTimedOut { what } => {
                visit("what", Value::from(*what));
            }
            E::RequestRefused { why } => visit("what", Value::from(*why)),
            E::Disconnected { reason } => visit("reason", Value::from(reason.name())),
            E::Lost { error, unsent } => {
                visit("reason", Value::from(CloseReason::of(error).name()));
                visit("unsent", Value::from(*unsent));
            }
            E::WriteTimedOut { unsent, .. }
            | E::Aborted { unsent }
            | E::DrainTimedOut { unsent } => {
                visit("unsent", Value::from(*unsent));
            }
            E::Closed(closed) => closed.visit_fields(visit),
            _ => {}
        }
    }
}

impl OfConnection<'_> {
    /// Visits the fields of a member of a room.
    #[cfg(feature = "rooms")]
    fn visit_room<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        match &self.event {
            ConnectionEvent::RoomJoined { room, name }
            | ConnectionEvent::RoomLeft { room, name }
            | ConnectionEvent::MessagesDropped { room, name, .. } => {
                visit("room", Value::from(*room));
                visit("name", Value::from(*name));
            }
            _ => {}
        }
        match &self.event {
            ConnectionEvent::MessagesDropped { count, .. } => {
                visit("messages", Value::from(*count));
            }
            ConnectionEvent::TooSlow { waiting } => visit("unsent", Value::from(*waiting)),
            _ => {}
        }
    }

    /// Visits the fields of a login.
    #[cfg(feature = "login")]
    fn visit_login<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        match &self.event {
            ConnectionEvent::LoggedIn { user, mechanism } => {
                visit("user", Value::from(*user));
                visit("mechanism", Value::from(*mechanism));
            }
            ConnectionEvent::LoginFailed { failure } => {
                if let Some(name) = &failure.name {
                    visit("user", Value::from(&name[..]));
                }
                visit("mechanism", Value::from(failure.mechanism));
                visit("reason", Value::from(&failure.reason[..]));
            }
            ConnectionEvent::UserRemoved { user } => visit("user", Value::from(*user)),
            _ => {}
        }
    }

    /// Returns the fault of a connection that did not reach its session.
    fn fault(&self) -> Option<Fault> {
        use ConnectionEvent as E;
        match self.event {
            E::ProxyHeaderInvalid { error: Malformed::Missing, .. }
            | E::LayerFailed { error: LayerError::Missing, .. } => Some(Fault::Missing),
            E::ProxyHeaderInvalid { .. }
            | E::LayerFailed { error: LayerError::Handshake(_), .. } => Some(Fault::Invalid),
            E::ProxyHeaderIncomplete { .. } => Some(Fault::Incomplete),
            E::ProxyHeaderTimedOut { .. } | E::HandshakeTimedOut { .. } => Some(Fault::Timeout),
            _ => None,
        }
    }
}
