//! The configuration of a server.

#[cfg(feature = "cli")]
use std::path::PathBuf;
#[cfg(feature = "login")]
use std::sync::Arc;
use std::{num::NonZeroUsize, thread::available_parallelism, time::Duration};

use common::protocol::{DEFAULT_HOST, DEFAULT_PORT};

#[cfg(feature = "admin")]
use super::admin::Admin;
#[cfg(feature = "history")]
use super::history::HistoryOptions;
#[cfg(feature = "redis")]
use super::relay::RedisUrl;
#[cfg(feature = "login")]
use super::users::Users;
use super::{
    consolidate::Consolidate, limits, listener::Listener, log_receipts::LogReceipts, spin::Spin,
};

/// Configuration of a [`Server`](crate::Server).
///
/// ```
/// use server::{Config, Listener};
///
/// let mut config = Config::default();
/// config.listeners = vec![Listener::tcp("127.0.0.1", 0)]; // any free port
/// config.log_messages = false;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Listeners of the server. Default: `tcp://127.0.0.1:65432`.
    pub listeners: Vec<Listener>,
    /// Worker threads, each of which serves any number of connections. Default: one per core.
    pub workers: NonZeroUsize,
    /// Limit on open connections. A client over the limit receives one line and is closed.
    /// Default: as many as the process's soft limit on descriptors allows.
    pub max_connections: Option<usize>,
    /// Limit on open connections from one source: an IPv4 address, or an IPv6 network of 64 bits.
    /// Default: unlimited.
    pub max_connections_per_ip: Option<usize>,
    /// Limit on TLS connections whose handshake is in progress. A client over the limit is closed.
    /// Default: half of [`max_connections`](Self::max_connections), so that slow handshakes leave room.
    pub max_handshakes: Option<usize>,
    /// Limit on TLS connections from one source whose handshake is in progress. Default: unlimited.
    pub max_handshakes_per_ip: Option<usize>,
    /// Users who may log in. Default: none.
    #[cfg(feature = "login")]
    pub users: Option<Arc<Users>>,
    /// Limit on open connections of one user. Default: unlimited.
    #[cfg(feature = "login")]
    pub max_connections_per_user: Option<usize>,
    /// Close of the connections of a user whom a reload removes. Default: no, they stay until they end.
    #[cfg(feature = "login")]
    pub closes_removed_users: bool,
    /// Permission for another server with the same setting to listen on the same address at the same time
    /// (`SO_REUSEPORT`, `socket(7)`), so that it can take over while this one drains. Default: no.
    pub reuse_port: bool,
    /// The Redis through which the server shares its rooms with others. Default: none, it has its rooms for itself.
    #[cfg(feature = "redis")]
    pub relay: Option<RedisUrl>,
    /// Time for which the server goes on serving and accepting after [`Handle::shutdown`](crate::Handle::shutdown), while it
    /// reports itself as not ready, so that a load balancer sends its clients elsewhere. Then it drains. Default: none.
    pub drain_delay: Duration,
    /// Limit on the time that a draining server waits for its peers to close. Default: 5 s.
    pub drain_timeout: Duration,
    /// Listener for those who operate the server: health, metrics, connections. Default: none.
    #[cfg(feature = "admin")]
    pub admin: Option<Admin>,
    /// Log of every message, when received and when echoed. Default: yes.
    pub log_messages: bool,
    /// What the log has of a connection that has closed. Default: [`LogReceipts::Totals`].
    pub log_receipts: LogReceipts,
    /// File to which a line of JSON is appended for each fault that a listener injects ([`common::fault::FaultRecord`]). Default: none.
    #[cfg(feature = "cli")]
    pub fault_log: Option<PathBuf>,
    /// Record of every message in a database. Default: none.
    #[cfg(feature = "history")]
    pub history: Option<HistoryOptions>,
    /// Busy-polling of workers before they sleep. Default: [`Spin::Auto`].
    pub spin: Spin,
    /// Fewer workers while they compete for cores. Default: [`Consolidate::Auto`].
    pub consolidate: Consolidate,
}

/// A setting that a running server cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedSetting {
    /// See [`Config::workers`].
    Workers,
    /// See [`Config::spin`].
    Spin,
    /// See [`Config::consolidate`].
    Consolidate,
    /// See [`Config::reuse_port`].
    ReusePort,
    /// See [`Config::fault_log`].
    #[cfg(feature = "cli")]
    FaultLog,
    /// See [`HistoryOptions::path`].
    #[cfg(feature = "history")]
    History,
    /// See [`HistoryOptions::keep`].
    #[cfg(feature = "history")]
    HistoryKeep,
    /// See [`HistoryOptions::overflow`].
    #[cfg(feature = "history")]
    HistoryOverflow,
    /// See [`Config::relay`].
    #[cfg(feature = "redis")]
    Relay,
    /// See [`Config::admin`].
    #[cfg(feature = "admin")]
    Admin,
}

impl Default for Config {
    fn default() -> Self {
        let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            listeners: vec![Listener::tcp(DEFAULT_HOST, DEFAULT_PORT)],
            workers,
            max_connections: None,
            max_connections_per_ip: None,
            max_handshakes: None,
            max_handshakes_per_ip: None,
            #[cfg(feature = "login")]
            users: None,
            #[cfg(feature = "login")]
            max_connections_per_user: None,
            #[cfg(feature = "login")]
            closes_removed_users: false,
            reuse_port: false,
            #[cfg(feature = "redis")]
            relay: None,
            drain_delay: Duration::ZERO,
            drain_timeout: limits::DRAIN_TIMEOUT,
            #[cfg(feature = "admin")]
            admin: None,
            log_messages: true,
            log_receipts: LogReceipts::default(),
            #[cfg(feature = "cli")]
            fault_log: None,
            #[cfg(feature = "history")]
            history: None,
            spin: Spin::default(),
            consolidate: Consolidate::default(),
        }
    }
}

impl Config {
    /// Returns the settings that differ and that a running server cannot change.
    pub(crate) fn fixed_differences(&self, other: &Self) -> impl Iterator<Item = FixedSetting> {
        let differ = [
            (FixedSetting::Workers, self.workers != other.workers),
            (FixedSetting::Spin, self.spin != other.spin),
            (FixedSetting::Consolidate, self.consolidate != other.consolidate),
            (FixedSetting::ReusePort, self.reuse_port != other.reuse_port),
            #[cfg(feature = "cli")]
            (FixedSetting::FaultLog, self.fault_log != other.fault_log),
            #[cfg(feature = "redis")]
            (FixedSetting::Relay, self.relay != other.relay),
            #[cfg(feature = "admin")]
            (FixedSetting::Admin, self.admin != other.admin),
        ];
        let differ = differ.into_iter();
        #[cfg(feature = "history")]
        let differ = differ.chain(self.history_differences(other));
        differ.filter_map(|(setting, differs)| differs.then_some(setting))
    }

    /// Options of a history that a reload adds or removes differ with it, so its path alone is reported.
    #[cfg(feature = "history")]
    fn history_differences(&self, other: &Self) -> impl Iterator<Item = (FixedSetting, bool)> {
        let (one, other) = (self.history.as_ref(), other.history.as_ref());
        let both = one.zip(other);
        [
            (FixedSetting::History, one.map(|one| &one.path) != other.map(|other| &other.path)),
            (FixedSetting::HistoryKeep, both.is_some_and(|(one, other)| one.keep != other.keep)),
            (
                FixedSetting::HistoryOverflow,
                both.is_some_and(|(one, other)| one.overflow != other.overflow),
            ),
        ]
        .into_iter()
    }
}
