//! The handle by which other threads control a server.

use std::sync::Arc;

use common::endpoint::Endpoint;

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
    config::{Config, Faults},
    connection::{Incoming, Socket},
    metrics::Stats,
    shared::{FaultsError, Phase, SharedState},
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

    /// Sets the faults of the listener at this endpoint, for its new connections and its open ones, until a reload changes them or
    /// [`clear_faults`](Self::clear_faults) does.
    ///
    /// ```
    /// use std::{io::{Read, Write}, net::TcpStream, thread};
    /// use common::endpoint::Endpoint;
    /// use server::Faults;
    ///
    /// let mut config = server::Config::default();
    /// config.listeners = vec![server::Listener::tcp("127.0.0.1", 0)];
    /// let server = server::Server::bind(config)?;
    /// let (endpoints, handle) = (server.endpoints(), server.handle());
    /// let running = thread::spawn(|| server.run());
    ///
    /// handle.set_faults(&endpoints[0], "truncate=3B".parse::<Faults>()?)?;
    /// let refused = handle.set_faults(&endpoints[0], "no-close-notify=on".parse::<Faults>()?);
    /// assert!(refused.unwrap_err().to_string().contains("it needs TLS"));
    /// handle.clear_faults(&endpoints[0])?;
    ///
    /// let Endpoint::Tcp(at) = &endpoints[0] else { panic!("the only listener is a TCP listener") };
    /// let mut client = TcpStream::connect((&at.host[..], at.port))?;
    /// client.write_all(b"hello\nexit\n")?;
    /// let mut reply = String::new();
    /// client.read_to_string(&mut reply)?;
    /// assert_eq!(reply, "hello\nGoodbye!\n");
    ///
    /// handle.shutdown();
    /// running.join().expect("the server does not panic")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such listener, or it cannot have these faults; then nothing has changed.
    pub fn set_faults(
        &self,
        endpoint: &Endpoint,
        faults: impl Into<Arc<Faults>>,
    ) -> Result<(), FaultsError> {
        self.shared.change_faults(endpoint, Some(&faults.into()))
    }

    /// Clears the faults of the listener at this endpoint. The bytes that they hold back are released.
    ///
    /// # Errors
    ///
    /// If there is no such listener.
    pub fn clear_faults(&self, endpoint: &Endpoint) -> Result<(), FaultsError> {
        self.shared.change_faults(endpoint, None)
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
