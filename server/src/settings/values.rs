//! The parsed values of all settings, and the parsers that every source uses.

use std::{
    ffi::OsStr, num::NonZeroUsize, os::unix::ffi::OsStrExt as _, path::PathBuf, time::Duration,
};

use clap::{ValueEnum, builder::PossibleValue};
use common::{
    cli::{TimeLimit, at_least_one, positive_duration},
    endpoint::Endpoint,
    protocol::Protocol,
};
use log::LevelFilter;

use super::listener::{AdminUrl, ListenerUrl};
#[cfg(feature = "history")]
use crate::config::HistoryOptions;
#[cfg(feature = "redis")]
use crate::config::RedisUrl;
use crate::{
    config::{
        Config, Consolidate, HistoryOverflow, Keep, Listener, LogReceipts, Spin, history_limits,
        limits,
    },
    logging::{Destination, Format, Options, Overflow},
};

/// The values of all settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pub(super) listen: Vec<ListenerUrl>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) reuse_port: Switch,
    pub(super) max_connections: Option<NonZeroUsize>,
    pub(super) max_connections_per_ip: Option<NonZeroUsize>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) proxy_timeout: Option<Duration>,
    pub(super) drain_timeout: Duration,
    pub(super) drain_delay: Duration,
    pub(super) workers: Option<NonZeroUsize>,
    pub(super) spin: Spin,
    pub(super) consolidate: Consolidate,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) tls_self_signed: Switch,
    pub(super) tls_key_log: Option<PathBuf>,
    pub(super) max_handshakes: Option<NonZeroUsize>,
    pub(super) max_handshakes_per_ip: Option<NonZeroUsize>,
    pub(super) handshake_timeout: Option<Duration>,
    pub(super) users: Option<PathBuf>,
    pub(super) max_connections_per_user: Option<NonZeroUsize>,
    pub(super) removed_users: RemovedUsers,
    pub(super) rooms: Option<RelayUrl>,
    pub(super) admin: Option<AdminUrl>,
    pub(super) log_level: LogLevel,
    pub(super) log_messages: Switch,
    pub(super) log_receipts: Switch,
    pub(super) log_file: Destination,
    pub(super) log_format: Format,
    pub(super) log_overflow: Overflow,
    pub(super) history: Option<PathBuf>,
    pub(super) history_keep: Keep,
    pub(super) history_overflow: HistoryOverflow,
    pub(super) fault_log: Option<PathBuf>,
}

/// The Redis through which rooms are shared.
#[cfg(feature = "redis")]
pub(super) type RelayUrl = RedisUrl;
#[cfg(not(feature = "redis"))]
pub(super) type RelayUrl = std::convert::Infallible;

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LogLevel {
    Debug,
    #[default]
    Info,
    Warning,
    Error,
}

/// Whether a reload closes the open connections of the users that it removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum RemovedUsers {
    #[default]
    Keep,
    Close,
}

/// On or off; a file has `true` and `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    #[value(alias = "true")]
    On,
    #[default]
    #[value(alias = "false")]
    Off,
}

impl Values {
    /// Returns the configuration of the server and the options of the log. Each of the inherited sockets, which
    /// are at `inherited`, has a listener. `has_address`: `host` or `port` is set by a source.
    pub(super) fn resolve(&self, inherited: &[Endpoint], has_address: bool) -> (Config, Options) {
        let mut config = Config::default();
        if let Some(workers) = self.workers {
            config.workers = workers;
        }
        config.listeners = self.listeners(inherited, has_address);
        config.max_connections = self.max_connections.map(NonZeroUsize::get);
        config.max_connections_per_ip = self.max_connections_per_ip.map(NonZeroUsize::get);
        config.max_handshakes = self.max_handshakes.map(NonZeroUsize::get);
        config.max_handshakes_per_ip = self.max_handshakes_per_ip.map(NonZeroUsize::get);
        #[cfg(feature = "login")]
        {
            config.max_connections_per_user = self.max_connections_per_user.map(NonZeroUsize::get);
            config.closes_removed_users = self.removed_users == RemovedUsers::Close;
        }
        #[cfg(feature = "redis")]
        config.relay.clone_from(&self.rooms);
        config.reuse_port = self.reuse_port == Switch::On;
        config.drain_timeout = self.drain_timeout;
        config.drain_delay = self.drain_delay;
        #[cfg(feature = "admin")]
        {
            config.admin = self.admin.as_ref().map(AdminUrl::config);
        }
        config.spin = self.spin;
        config.consolidate = self.consolidate;
        config.log_messages = self.log_messages == Switch::On;
        config.log_receipts = match self.log_receipts {
            Switch::On => LogReceipts::Text,
            Switch::Off => self.log_format.receipts(),
        };
        #[cfg(feature = "history")]
        {
            config.history = self.history();
        }
        config.fault_log.clone_from(&self.fault_log);
        let options = Options {
            level: match self.log_level {
                LogLevel::Debug => LevelFilter::Debug,
                LogLevel::Info => LevelFilter::Info,
                LogLevel::Warning => LevelFilter::Warn,
                LogLevel::Error => LevelFilter::Error,
            },
            format: self.log_format,
            overflow: self.log_overflow,
            destination: self.log_file.clone(),
        };
        (config, options)
    }

    /// Returns the options of the history, if there is one.
    #[cfg(feature = "history")]
    fn history(&self) -> Option<HistoryOptions> {
        let path = self.history.clone()?;
        Some(HistoryOptions { path, keep: self.history_keep, overflow: self.history_overflow })
    }

    fn listeners(&self, inherited: &[Endpoint], has_address: bool) -> Vec<Listener> {
        let mut base = Listener::tcp(&self.host, self.port);
        base.options.protocol = self.protocol;
        base.options.idle_timeout = self.idle_timeout;
        base.options.write_timeout = self.write_timeout;
        base.options.proxy_timeout = self.proxy_timeout;
        base.options.handshake_timeout = self.handshake_timeout;
        let mut listeners: Vec<_> =
            self.listen.iter().map(|url| url.listener(&base.options)).collect();
        if listeners.is_empty() && (has_address || inherited.is_empty()) {
            listeners.push(base.clone());
        }
        for endpoint in inherited {
            if !listeners.iter().any(|listener| listener.endpoint == *endpoint) {
                listeners.push(ListenerUrl::new(endpoint.clone()).listener(&base.options));
            }
        }
        listeners
    }
}

/// Applies a parser of text, which refuses anything that is not UTF-8.
pub(super) fn parse<T>(
    value: &OsStr,
    parser: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    parser(value.to_str().ok_or("it is not UTF-8")?)
}

pub(super) fn non_empty(value: &OsStr) -> Result<&OsStr, String> {
    if value.is_empty() { Err("it is empty".to_owned()) } else { Ok(value) }
}

#[cfg(feature = "redis")]
pub(super) fn relay_url(text: &str) -> Result<RelayUrl, String> {
    text.parse()
}

#[cfg(not(feature = "redis"))]
pub(super) fn relay_url(_: &str) -> Result<RelayUrl, String> {
    Err("this program is built without Redis (cargo feature 'redis')".to_owned())
}

/// Parses the path of a file to read.
pub(super) fn path(text: &OsStr) -> Result<PathBuf, String> {
    let path = non_empty(text)?;
    if path.as_bytes().contains(&0) {
        Err("a path has no NUL byte".to_owned())
    } else {
        Ok(path.into())
    }
}

/// Parses the path of the history.
pub(super) fn history(text: &OsStr) -> Result<PathBuf, String> {
    if cfg!(feature = "history") {
        path(text)
    } else {
        Err("this echo-server is built without the feature 'history'".to_owned())
    }
}

/// Parses how much of the history stays: an age, a size, or both, joined by a comma.
pub(super) fn keep(text: &str) -> Result<Keep, String> {
    let mut keep = Keep::default();
    if text == "all" {
        return Ok(keep);
    }
    for part in text.split(',') {
        if let Some(bytes) = size(part) {
            if bytes < history_limits::KEEP_BYTES {
                return Err("the smallest size is 256kB".to_owned());
            }
            if keep.bytes.replace(bytes).is_some() {
                return Err("it has two sizes".to_owned());
            }
        } else {
            let age = positive_duration(part).map_err(|_| {
                "expected all, an age like 30d, a size like 10GB, or both, joined by a comma"
                    .to_owned()
            })?;
            if keep.age.replace(age).is_some() {
                return Err("it has two ages".to_owned());
            }
        }
    }
    Ok(keep)
}

/// Parses a size with a unit of powers of 1,024.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = [("kB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1_u64 << 40)]
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))?;
    number.parse::<u64>().ok()?.checked_mul(unit)
}

pub(super) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    match at_least_one(text)? {
        workers if workers.get() > limits::WORKERS => {
            Err(format!("the maximum is {}", limits::WORKERS))
        }
        workers => Ok(workers),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port, from 0 to 65535".to_owned())
}

/// Parses the path of the log. It refuses the paths that no system opens as a file.
pub(super) fn log_file(text: &OsStr) -> Result<Destination, String> {
    let path = match non_empty(text)?.as_bytes() {
        b"-" => return Ok(Destination::Stdout),
        path => path,
    };
    if path.contains(&0) {
        Err("a path has no NUL byte".to_owned())
    } else if path.ends_with(b"/") || [&b"."[..], b".."].contains(&path) {
        Err("it names a directory; the log is a file".to_owned())
    } else if path.len() > limits::PATH {
        Err(format!("the path has {} bytes, the maximum is {}", path.len(), limits::PATH))
    } else {
        Ok(Destination::File(text.into()))
    }
}

pub(super) fn spin(text: &str) -> Result<Spin, String> {
    match text {
        "auto" => Ok(Spin::Auto),
        "off" => Ok(Spin::Off),
        time => positive_duration(time)
            .map(Spin::For)
            .map_err(|_| "expected auto, off, or a duration like 50us".to_owned()),
    }
}

pub(super) fn time_limit(text: &str) -> Result<Option<Duration>, String> {
    common::cli::time_limit(text).map(|TimeLimit(limit)| limit)
}

pub(super) fn choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| format!("expected {}", any_of(&possible_values::<T>())))
}

pub(super) fn possible_values<T: ValueEnum>() -> Vec<PossibleValue> {
    T::value_variants().iter().filter_map(T::to_possible_value).collect()
}

/// Writes `a, b or c`.
fn any_of(values: &[PossibleValue]) -> String {
    let names: Vec<_> = values.iter().map(PossibleValue::get_name).collect();
    match &names[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        names => names.concat(),
    }
}
