//! The command line as it is typed, and what it means.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum, builder::NonEmptyStringValueParser};
use common::{
    cli::{TimeLimit, at_least_one, duration, positive_duration, time_limit},
    protocol::{DEFAULT_HOST, DEFAULT_PORT, Protocol},
};
use log::LevelFilter;
use server::{
    Config, Listener, Spin,
    logging::{Format, Options, Overflow},
};

use crate::listen::Listen;

/// An echo server: every byte comes back.
///
/// It serves any number of connections with a fixed pool of worker threads, and logs every message.
#[derive(Debug, Parser)]
#[command(name = "echo-server", version, allow_negative_numbers = true, max_term_width = 100, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen, as <tcp://HOST:PORT> or <unix:///PATH>; may be given several times
    #[arg(long, value_name = "URL", conflicts_with_all = ["host", "port"])]
    listen: Vec<Listen>,
    /// Name or address of this machine to listen on
    #[arg(long, value_name = "HOST", default_value = DEFAULT_HOST)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    host: String,
    /// TCP port to listen on; 0 takes any free one, which the log then names
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Threads that serve connections [default: one a core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    workers: Option<NonZeroUsize>,
    /// How bytes are read: as lines, as nothing but bytes (RFC 862), or as frames
    #[arg(long, value_enum, value_name = "NAME", default_value_t, hide_possible_values = false)]
    protocol: Protocol,
    /// Connections to serve at once [default: what the descriptor limit allows]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_connections: Option<NonZeroUsize>,
    /// Connections to serve at once from one address, or one IPv6 network of 64 bits [default: any
    /// number]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    max_connections_per_ip: Option<NonZeroUsize>,
    /// Let another server that says the same listen on this address, too: one that takes over while
    /// this one drains
    #[arg(long)]
    reuse_port: bool,
    /// Close a connection that was silent for this long
    #[arg(long, value_name = "DUR", value_parser = time_limit, default_value = "off")]
    idle_timeout: TimeLimit,
    /// Close a connection that took nothing of its echo for this long
    #[arg(long, value_name = "DUR", value_parser = time_limit, default_value = "30s")]
    write_timeout: TimeLimit,
    /// How long to wait for clients to leave when asked to shut down
    #[arg(long, value_name = "DUR", value_parser = duration, default_value = "5s")]
    drain_timeout: Duration,
    /// Look for more to do for a moment before sleeping: while it pays, never, or always for so long
    #[arg(long, value_name = "auto|off|DUR", value_parser = spin, default_value = "auto")]
    spin: Spin,
    /// Log nothing below this level
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    log_level: LogLevel,
    /// Log every message, as received and as echoed
    #[arg(long, value_enum, value_name = "ON|OFF", default_value_t = Switch::On)]
    log_messages: Switch,
    /// Append the log to this file instead of standard error; SIGHUP opens it anew
    #[arg(long, value_name = "PATH")]
    log_file: Option<PathBuf>,
    /// How log records are written
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    log_format: Format,
    /// When the log cannot keep up: slow down with it, or drop records and count them
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    log_overflow: Overflow,
}

const EXAMPLES: &str = "\
Durations read 500ms, 30s, 5m. A time limit can be off.

Examples:
  echo-server                                  listen on 127.0.0.1:65432
  echo-server --host 0.0.0.0 --port 7000       listen on every address
  echo-server --protocol raw --port 7          the echo service of RFC 862
  echo-server --log-file echo.log --log-format json

Signals: the first SIGINT (Ctrl+C) or SIGTERM drains, the second ends at once.
Exit status: 0 shut down as asked, 1 it could not run, 2 wrong usage, 128 + N ended at once by
a second signal N.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
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
    /// What was typed, as the server and the log take it.
    pub(crate) fn resolve(self) -> (Config, Options) {
        let mut config = Config::default();
        if let Some(workers) = self.workers {
            config = config.with_workers(workers);
        }
        let mut usual = Listener::tcp(&self.host, self.port);
        usual.protocol = self.protocol;
        usual.idle_timeout = self.idle_timeout.0;
        usual.write_timeout = self.write_timeout.0;
        config.listeners = if self.listen.is_empty() {
            vec![usual]
        } else {
            self.listen.into_iter().map(|listen| listen.listener(&usual)).collect()
        };
        if let Some(most) = self.max_connections {
            config.max_connections = most.get();
        }
        config.max_connections_per_ip = self.max_connections_per_ip.map(NonZeroUsize::get);
        config.reuse_port = self.reuse_port;
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
