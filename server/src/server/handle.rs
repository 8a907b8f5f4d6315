//! The handle by which other threads control a server.

use std::sync::Arc;

use super::{
    liveness::Liveness,
    reload::{ReloadError, Reloaded, Reloader},
};
#[cfg(feature = "cli")]
use crate::fault_log::FaultLog;
#[cfg(feature = "history")]
use crate::history::{HistoryStats, StatsReader};
#[cfg(feature = "rooms")]
use crate::rooms::RoomStats;
use crate::{
    config::Config,
    connection::{Incoming, Socket},
    metrics::Stats,
    shared::{Phase, SharedState},
};

/// Controls a server from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<SharedState<Incoming<Socket>>>,
    pub(super) reloader: Arc<Reloader>,
}

impl Handle {
    /// Starts a graceful shutdown: the server stops accepting, serves what it has received, half-closes its
    /// connections, and waits for its peers to close, for at most the drain timeout. With a
    /// [drain delay](Config::drain_delay), it goes on serving and accepting for this long before; a second
    /// call has no effect then. [`stop`](Self::stop) ends at once, also during the delay.
    pub fn shutdown(&self) {
        self.shared.shut_down();
    }

    /// Stops the server immediately; open connections are dropped.
    pub fn stop(&self) {
        self.shared.advance(Phase::Stopped);
    }

    /// Applies `config` to the running server as far as possible: listeners open, close, and get a new
    /// policy for new connections; limits change. No connection is closed. The log says which listeners
    /// changed.
    ///
    /// # Errors
    ///
    /// If a listener cannot be opened, or the server shuts down; then nothing has changed.
    pub fn reload(&self, config: &Config) -> Result<Reloaded, ReloadError> {
        self.reloader.reload(&self.shared, config)
    }

    /// Returns the phase of the server.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.phase.get()
    }

    /// Returns a check that detects stalled threads of the server.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        Liveness::new(Arc::clone(&self.shared))
    }

    /// Returns whether the server does less than its configuration says: it serves its clients, and does not share its rooms
    /// with other servers, because Redis does not answer.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        #[cfg(feature = "redis")]
        let is_degraded = self.shared.relay.get().is_some_and(|relay| !relay.is_shared());
        #[cfg(not(feature = "redis"))]
        let is_degraded = false;
        is_degraded
    }

    /// Returns whether the server has begun to shut down and still serves as before, as long as the
    /// [drain delay](Config::drain_delay).
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.shared.is_leaving()
    }

    /// Returns the counters since the server was bound.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Returns whether the server records its injected faults in a [file](Config::fault_log).
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn has_fault_log(&self) -> bool {
        self.shared.fault_log.is_some()
    }

    /// Reopens the [fault log](Config::fault_log), if there is one, for a rotation that has renamed the old file.
    #[cfg(feature = "cli")]
    pub fn reopen_fault_log(&self) {
        self.shared.fault_log.iter().for_each(FaultLog::reopen);
    }

    /// Returns the numbers of the history. `None`: there is none, or it has not started yet.
    #[cfg(feature = "history")]
    #[must_use]
    pub fn history(&self) -> Option<HistoryStats> {
        self.shared.history.get().map(StatsReader::stats)
    }

    /// Returns the number of open rooms and of their members.
    #[cfg(feature = "rooms")]
    #[must_use]
    pub fn rooms(&self) -> RoomStats {
        self.shared.rooms.stats()
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.limits.open()
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use crate::{Config, Listener, Phase, Server};

    #[test]
    fn a_stop_ends_a_drain_delay_and_a_second_shutdown_does_not() {
        let listeners = vec![Listener::tcp("127.0.0.1", 0)];
        let drain_delay = Duration::from_hours(1);
        let server = Server::bind(Config { listeners, drain_delay, ..Config::default() }).unwrap();
        let handle = server.handle();
        let running = thread::spawn(|| server.run());
        handle.shutdown();
        handle.shutdown();
        assert_eq!((handle.phase(), handle.is_leaving()), (Phase::Running, true));
        handle.stop();
        assert!(running.join().unwrap().is_ok());
        assert_eq!((handle.phase(), handle.is_leaving()), (Phase::Stopped, false));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_server_whose_rooms_are_not_shared_as_they_should_be_is_degraded() {
        let listeners = vec![Listener::tcp("127.0.0.1", 0)];
        let mut config = Config { listeners, ..Config::default() };
        assert!(!Server::bind(config.clone()).unwrap().handle().is_degraded());
        // Nothing answers at this port.
        config.relay = Some("redis://127.0.0.1:1".parse().unwrap());
        let server = Server::bind(config).unwrap();
        let handle = server.handle();
        assert!(handle.is_degraded());
        let running = thread::spawn(|| server.run());
        handle.shutdown();
        assert!(running.join().unwrap().is_ok());
        assert!(handle.is_degraded());
    }
}
