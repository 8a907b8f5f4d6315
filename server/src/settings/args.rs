//! Every setting: its name, help, form and default, and what all of them mean to the server and the log.
//!
//! The one definition of a setting. It knows no file and no environment; what they say comes here as if it
//! had been typed.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{ValueEnum, ValueHint, builder::NonEmptyStringValueParser};
use common::{
    cli::{TimeLimit, at_least_one, duration, positive_duration, time_limit},
    endpoint::Endpoint,
    protocol::{DEFAULT_HOST, DEFAULT_PORT, Protocol},
};
use log::LevelFilter;

use super::listen::Listen;
use crate::{
    Config, Listener, Spin,
    logging::{Format, Options, Overflow},
};

/// What can be set. A setting without a default says in words what holds otherwise: `[default: ...]`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen, by URL.
    #[arg(long, help_heading = LISTEN, value_name = "URL", conflicts_with_all = ["host", "port"])]
    #[arg(value_hint = ValueHint::Url, help = LISTEN_HELP, long_help = LISTEN_LONG_HELP)]
    pub(super) listen: Vec<Listen>,
    /// Name or address to listen on
    #[arg(long, help_heading = LISTEN, value_name = "HOST", default_value = DEFAULT_HOST)]
    #[arg(value_parser = NonEmptyStringValueParser::new(), value_hint = ValueHint::Hostname)]
    host: String,
    /// TCP port; 0 takes any free one
    ///
    /// The log names it, in the line 'Echo server started on'.
    #[arg(long, help_heading = LISTEN, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    #[arg(value_parser = port)]
    port: u16,
    /// How bytes are read
    #[arg(long, help_heading = LISTEN, value_enum, value_name = "NAME", default_value_t)]
    protocol: Protocol,
    /// Share the address with another server that says the same
    ///
    /// One that takes over while this one drains.
    #[arg(long, help_heading = LISTEN, value_enum, value_name = "ON|OFF", default_value_t = Switch::Off)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    #[arg(hide_short_help = true)]
    pub(super) reuse_port: Switch,
    /// Connections at once [default: as descriptors allow]
    ///
    /// Over it, a peer gets one line that says so, and is closed. The server raises its limit on descriptors
    /// as far as it may.
    #[arg(long, help_heading = SERVE, value_name = "N", value_parser = at_least_one)]
    pub(super) max_connections: Option<NonZeroUsize>,
    /// Connections at once from one address, or one IPv6 network of 64 bits [default: any number]
    #[arg(long, help_heading = SERVE, value_name = "N", value_parser = at_least_one)]
    #[arg(hide_short_help = true)]
    pub(super) max_connections_per_ip: Option<NonZeroUsize>,
    /// Close what was silent for this long
    #[arg(long, help_heading = SERVE, value_name = "DUR", value_parser = time_limit)]
    #[arg(default_value = "off")]
    idle_timeout: TimeLimit,
    /// Close what took nothing of its echo for this long
    #[arg(long, help_heading = SERVE, value_name = "DUR", value_parser = time_limit)]
    #[arg(default_value = "30s", hide_short_help = true)]
    write_timeout: TimeLimit,
    /// How long to wait for clients to leave when asked to shut down
    #[arg(long, help_heading = SERVE, value_name = "DUR", value_parser = duration)]
    #[arg(default_value = "5s", hide_short_help = true)]
    drain_timeout: Duration,
    /// Threads that serve connections [default: one a core]
    #[arg(long, help_heading = SERVE, value_name = "N", value_parser = at_least_one)]
    workers: Option<NonZeroUsize>,
    /// Look for more to do for a moment before sleeping: while it pays, never, or always for so long
    #[arg(long, help_heading = SERVE, value_name = "auto|off|DUR", value_parser = spin)]
    #[arg(default_value = "auto", hide_short_help = true)]
    spin: Spin,
    /// Log nothing below this level
    #[arg(long, help_heading = LOG, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    log_level: LogLevel,
    /// Log every message, as received and as echoed
    #[arg(long, help_heading = LOG, value_enum, value_name = "ON|OFF", default_value_t = Switch::On)]
    #[arg(hide_short_help = true)]
    log_messages: Switch,
    /// Append the log to this file [default: standard error]
    ///
    /// SIGHUP opens it anew, for a rotation that has moved the old one away.
    #[arg(long, help_heading = LOG, value_name = "PATH", value_hint = ValueHint::FilePath)]
    log_file: Option<PathBuf>,
    /// How log records are written
    #[arg(long, help_heading = LOG, value_enum, value_name = "NAME", default_value_t)]
    #[arg(hide_short_help = true)]
    log_format: Format,
    /// When the log cannot keep up: slow down with it, or drop records and count them
    #[arg(long, help_heading = LOG, value_enum, value_name = "WHAT", default_value_t)]
    #[arg(hide_short_help = true)]
    log_overflow: Overflow,
}

const LISTEN_HELP: &str = "\
Where: tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH; may be given several times [default: --host and \
--port]";

const LISTEN_LONG_HELP: &str = "\
Where: tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH; may be given several times [default: --host and \
--port]

Behind a ? a listener can have policy of its own, joined by &: protocol, max-connections, idle-timeout and \
write-timeout, as for all; v6only=yes for IPv6 without IPv4; mode=660 for who may use a Unix socket; \
proxy=required behind a proxy that sends a PROXY header, where only that proxy can connect. \
Example: tcp://[::]:7?protocol=raw&v6only=yes

UDP is always raw, and of these takes v6only. rate=N limits how many datagrams a second are answered to one \
address, or one IPv6 network of 64 bits: 10000 unless told otherwise; off is any number.";

const LISTEN: &str = "Listening";
const SERVE: &str = "Connections and workers";
const LOG: &str = "Log";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// On or off; `true` and `false` are what a file calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    #[value(alias = "true")]
    On,
    #[value(alias = "false")]
    Off,
}

fn port(typed: &str) -> Result<u16, String> {
    typed.parse().map_err(|_| "expected a port, from 0 to 65535".to_owned())
}

fn spin(typed: &str) -> Result<Spin, String> {
    match typed {
        "auto" => Ok(Spin::Auto),
        "off" => Ok(Spin::Off),
        time => positive_duration(time)
            .map(Spin::For)
            .map_err(|_| "expected auto, off, or a duration like 50us".to_owned()),
    }
}

impl Args {
    /// What was said, as the server and the log take it, with listeners for the sockets that were `passed`.
    /// `says_where`: the host and the port are more than defaults.
    pub(super) fn resolve(self, passed: &[Endpoint], says_where: bool) -> (Config, Options) {
        let mut config = Config::default();
        if let Some(workers) = self.workers {
            config.workers = workers;
        }
        let mut usual = Listener::tcp(&self.host, self.port);
        usual.options.protocol = self.protocol;
        usual.options.idle_timeout = self.idle_timeout.0;
        usual.options.write_timeout = self.write_timeout.0;
        config.listeners = self.listen.into_iter().map(|listen| listen.listener(&usual)).collect();
        if config.listeners.is_empty() && (says_where || passed.is_empty()) {
            config.listeners.push(usual.clone());
        }
        for endpoint in passed {
            if !config.listeners.iter().any(|listener| listener.endpoint == *endpoint) {
                config.listeners.push(Listen::at(endpoint.clone()).listener(&usual));
            }
        }
        config.max_connections = self.max_connections.map(NonZeroUsize::get);
        config.max_connections_per_ip = self.max_connections_per_ip.map(NonZeroUsize::get);
        config.reuse_port = self.reuse_port == Switch::On;
        config.drain_timeout = self.drain_timeout;
        config.spin = self.spin;
        config.log_messages = self.log_messages == Switch::On;
        let options = Options {
            level: match self.log_level {
                LogLevel::Debug => LevelFilter::Debug,
                LogLevel::Info => LevelFilter::Info,
                LogLevel::Warning => LevelFilter::Warn,
                LogLevel::Error => LevelFilter::Error,
            },
            format: self.log_format,
            overflow: self.log_overflow,
            file: self.log_file,
        };
        (config, options)
    }
}
