//! State that all threads of a server share.

use std::{
    convert::Infallible,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::Sender,
    },
    time::{Duration, Instant},
};

use common::reason::reason;
use crossbeam::atomic::AtomicCell;
use log::{error, info};
use mio::{Token, Waker};

#[cfg(feature = "admin")]
use super::listing::ListRequest;
use super::{
    dispatch_queue::DispatchQueue,
    phase::{Phase, PhaseCell},
    worker_messages::{Full, MessageReceiver, WorkerMessage, WorkerMessages},
};
#[cfg(feature = "cli")]
use crate::fault_log::FaultLog;
#[cfg(feature = "history")]
use crate::history::StatsReader;
#[cfg(feature = "redis")]
use crate::relay::Relay;
#[cfg(feature = "rooms")]
use crate::rooms::Rooms;
use crate::{
    admission::ConnectionLimits,
    config::{Config, limits},
    consolidation::Consolidation,
    faults::FaultRegistry,
    logging,
    metrics::{Counters, Registry},
    telemetry::Recording,
    udp::{UdpEchoSocket, UdpListener, UdpPolicy},
};

/// Token of a thread's waker in its own poll.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// State shared by the threads of one server. `T` is the type of the items in the dispatch queue.
#[derive(Debug)]
pub(crate) struct SharedState<T> {
    pub(crate) phase: PhaseCell,
    pub(crate) limits: ConnectionLimits,
    pub(crate) counters: Counters,
    pub(crate) dispatch: DispatchQueue<T, Arc<Waker>>,
    pub(crate) consolidation: Consolidation,
    #[cfg(feature = "rooms")]
    pub(crate) rooms: Arc<Rooms>,
    /// The relay, which shares the rooms with other servers.
    #[cfg(feature = "redis")]
    pub(crate) relay: OnceLock<Arc<Relay>>,
    /// The record of injected faults.
    #[cfg(feature = "cli")]
    pub(crate) fault_log: Option<FaultLog>,
    /// The numbers of the history, once it has started.
    #[cfg(feature = "history")]
    pub(crate) history: OnceLock<StatsReader>,
    /// The faults of the listeners.
    pub(crate) faults: FaultRegistry,
    messages: WorkerMessages<WorkerMessage>,
    /// Ports of the UDP listeners, one entry for each.
    udp_ports: Mutex<Arc<[u16]>>,
    /// Number of changes of the UDP listeners.
    udp_changes: AtomicUsize,
    /// Where messages go. Workers read it once per loop iteration.
    pub(crate) recording: AtomicCell<Recording>,
    pub(crate) drain_delay: AtomicCell<Duration>,
    /// The end of the drain delay, from the begin of the shutdown on. `None`: unlimited.
    leaves_at: OnceLock<Option<Instant>>,
    pub(crate) drain_timeout: AtomicCell<Duration>,
    drain_deadline: OnceLock<Option<Instant>>,
    failed: AtomicBool,
    /// The settings of the program as text, for the admin listener.
    #[cfg(feature = "admin")]
    settings: Mutex<Option<Arc<str>>>,
}

impl<T> SharedState<T> {
    /// Creates the state, and the receiver of each worker's messages.
    pub(crate) fn new(
        config: &Config,
        listeners: Arc<Registry>,
        acceptor: Waker,
        workers: Vec<Waker>,
    ) -> (Self, Vec<MessageReceiver>) {
        let (messages, receivers) = WorkerMessages::new(workers.len());
        let workers: Vec<_> = workers.into_iter().map(Arc::new).collect();
        let state = Self {
            phase: PhaseCell::default(),
            limits: ConnectionLimits::new(config),
            counters: Counters::new(workers.len(), listeners),
            consolidation: Consolidation::new(config.consolidate, workers.len(), Instant::now()),
            faults: FaultRegistry::default(),
            messages,
            udp_ports: Mutex::default(),
            udp_changes: AtomicUsize::new(0),
            #[cfg(feature = "rooms")]
            rooms: Arc::new(Rooms::new(&workers)),
            #[cfg(feature = "redis")]
            relay: OnceLock::new(),
            #[cfg(feature = "cli")]
            fault_log: config.fault_log.clone().map(FaultLog::new),
            #[cfg(feature = "history")]
            history: OnceLock::new(),
            dispatch: DispatchQueue::new(limits::QUEUE, Arc::new(acceptor), workers),
            recording: AtomicCell::new(recording(config)),
            drain_delay: AtomicCell::new(config.drain_delay),
            leaves_at: OnceLock::new(),
            drain_timeout: AtomicCell::new(config.drain_timeout),
            drain_deadline: OnceLock::new(),
            failed: AtomicBool::new(false),
            #[cfg(feature = "admin")]
            settings: Mutex::default(),
        };
        #[cfg(feature = "admin")]
        state.set_settings(config);
        (state, receivers)
    }

    /// Begins the shutdown: the drain, or a drain delay, at the end of which the acceptor begins the drain.
    pub(crate) fn shut_down(&self) {
        let delay = self.drain_delay.load();
        if delay.is_zero() {
            self.advance(Phase::Draining);
        } else if self.leaves_at.set(Instant::now().checked_add(delay)).is_ok() {
            info!(event = "leaving";
                "Shutting down: the server serves for another {} and is not ready",
                humantime::format_duration(delay));
            self.dispatch.wake_all();
        }
    }

    /// Returns whether the shutdown has begun and the drain has not.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaves_at.get().is_some() && self.phase.get() == Phase::Running
    }

    /// Returns the time until the end of the drain delay. `None`: the shutdown has not begun, or the delay has no end.
    pub(crate) fn until_drain(&self) -> Option<Duration> {
        let end = self.leaves_at.get().copied().flatten()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Advances to `phase` and wakes every thread.
    pub(crate) fn advance(&self, phase: Phase) {
        // Set before the phase: a thread that sees the drain also finds its deadline.
        self.drain_deadline.get_or_init(|| Instant::now().checked_add(self.drain_timeout.load()));
        if self.phase.advance(phase) {
            self.dispatch.wake_all();
        }
    }

    /// Returns the settings of the program as text, if it has given them.
    #[cfg(feature = "admin")]
    pub(crate) fn settings(&self) -> Option<Arc<str>> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the settings of the program.
    #[cfg(feature = "admin")]
    pub(crate) fn set_settings(&self, config: &Config) {
        // Without the setting `admin`, the listener stays as it is until a restart.
        let Some(admin) = &config.admin else { return };
        let settings = admin.settings.clone();
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Gives one socket of the UDP listener to each worker.
    pub(crate) fn open_udp(&self, listener: UdpListener) {
        let UdpListener { policy, sockets, .. } = listener;
        self.change_udp_ports(|ports| ports.push(policy.port));
        for (worker, socket) in sockets.into_iter().enumerate() {
            let socket = Box::new(UdpEchoSocket::new(socket, Arc::clone(&policy)));
            if let Err(Full) = self.messages.send(worker, WorkerMessage::OpenUdp(socket)) {
                error!(event = "not-registered", address = policy.address;
                    "Cannot serve {}: a worker has too many messages", policy.address);
                policy.has_failed.store(true, SeqCst);
            }
        }
        self.announce_udp_change();
    }

    /// Asks a worker for some of its connections.
    ///
    /// # Errors
    ///
    /// If it has too many messages.
    #[cfg(feature = "admin")]
    pub(crate) fn list(&self, worker: usize, request: ListRequest) -> Result<(), Full> {
        self.messages.send(worker, WorkerMessage::List(Box::new(request)))?;
        self.dispatch.wake(worker);
        Ok(())
    }

    /// Makes each worker answer the datagrams that the listener with this policy has received, and close its
    /// socket. `closed` is dropped when all workers have closed theirs.
    pub(crate) fn close_udp(&self, policy: Arc<UdpPolicy>, closed: Sender<Infallible>) {
        self.change_udp_ports(|ports| {
            if let Some(at) = ports.iter().position(|&port| port == policy.port) {
                ports.swap_remove(at);
            }
        });
        policy.close(closed);
        self.announce_udp_change();
    }

    /// Returns the ports of the UDP listeners, unless the listeners have not changed since `seen`.
    pub(crate) fn changed_udp_ports(&self, seen: &mut usize) -> Option<Arc<[u16]>> {
        let changes = self.udp_changes.load(SeqCst);
        // The common case: a worker was woken for a connection.
        if std::mem::replace(seen, changes) == changes {
            return None;
        }
        Some(Arc::clone(&self.lock_udp_ports()))
    }

    /// Makes the workers look at a change of the UDP listeners that is complete.
    fn announce_udp_change(&self) {
        self.udp_changes.fetch_add(1, SeqCst);
        self.dispatch.wake_all();
    }

    fn change_udp_ports(&self, change: impl FnOnce(&mut Vec<u16>)) {
        let mut ports = self.lock_udp_ports();
        let mut changed = ports.to_vec();
        change(&mut changed);
        *ports = changed.into();
    }

    fn lock_udp_ports(&self) -> MutexGuard<'_, Arc<[u16]>> {
        self.udp_ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the end of the drain, the same for all threads. `None`: unlimited, or not draining.
    pub(crate) fn drain_deadline(&self) -> Option<Instant> {
        self.drain_deadline.get().copied().flatten()
    }

    /// Runs one of the server's threads. If the thread fails, all threads stop: a server that has lost a
    /// thread must not keep listening.
    pub(crate) fn run_supervised(&self, thread: impl FnOnce() -> io::Result<()>) {
        match catch_unwind(AssertUnwindSafe(thread)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error!("The server stops: a thread failed: {}", reason(&error)),
            Err(_) => error!("The server stops: a bug ended one of its threads"),
        }
        logging::flush();
        self.failed.store(true, SeqCst);
        self.advance(Phase::Stopped);
    }

    /// Returns whether a thread has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(SeqCst)
    }
}

/// Returns what becomes of messages. A server has its history from the start or never.
fn recording(config: &Config) -> Recording {
    #[cfg(feature = "history")]
    let has_history = config.history.is_some();
    #[cfg(not(feature = "history"))]
    let has_history = false;
    Recording::new(config.log_messages, has_history).with_receipts(config.log_receipts)
}

#[cfg(test)]
pub(crate) mod fixture {
    use std::sync::Arc;

    use mio::{Poll, Waker};

    use super::{MessageReceiver, SharedState, WAKE};
    use crate::{config::Config, metrics::Registry};

    /// Shared state for tests with this many workers, the acceptor's poll, and the workers' polls and messages.
    pub(crate) fn shared_state<T>(
        workers: usize,
    ) -> (SharedState<T>, Poll, Vec<(Poll, MessageReceiver)>) {
        let acceptor = Poll::new().unwrap();
        let workers: Vec<Poll> = (0..workers).map(|_| Poll::new().unwrap()).collect();
        let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).unwrap();
        let wakers = workers.iter().map(waker).collect();
        let listeners = Arc::new(Registry::new(workers.len()));
        let (state, messages) =
            SharedState::new(&Config::default(), listeners, waker(&acceptor), wakers);
        (state, acceptor, workers.into_iter().zip(messages).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{fixture::shared_state, *};

    #[test]
    fn a_server_with_a_drain_delay_is_leaving_before_it_drains() {
        let (state, ..) = shared_state::<()>(0);
        state.drain_delay.store(Duration::from_hours(1));
        assert!(!state.is_leaving() && state.until_drain().is_none());
        state.shut_down();
        assert!(state.is_leaving() && state.until_drain().is_some());
        assert_eq!(state.phase.get(), Phase::Running);
        state.drain_delay.store(Duration::ZERO);
        state.shut_down();
        assert_eq!((state.phase.get(), state.is_leaving()), (Phase::Draining, false));
    }

    #[test]
    fn a_thread_that_fails_stops_the_server_and_one_that_returns_does_not() {
        let failures: [fn() -> io::Result<()>; 2] =
            [|| Err(io::ErrorKind::InvalidInput.into()), || panic!("the bug")];
        let (state, ..) = shared_state::<()>(0);
        state.run_supervised(|| Ok(()));
        assert_eq!((state.phase.get(), state.has_failed()), (Phase::Running, false));
        for failure in failures {
            let (state, ..) = shared_state::<()>(0);
            state.run_supervised(failure);
            assert_eq!((state.phase.get(), state.has_failed()), (Phase::Stopped, true));
        }
    }
}
