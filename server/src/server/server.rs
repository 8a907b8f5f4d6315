//! The server: bind its listeners, run its threads, drain.

use std::{io, sync::Arc, time::Instant};

use common::endpoint::Endpoint;
use log::{debug, info};
use mio::{Poll, Waker};
use threadpool::ThreadPool;

#[cfg(feature = "redis")]
use super::relay::RelayThreads;
use super::{
    fault_check::check_faults,
    handle::Handle,
    open_listener::OpenListener,
    reload::Reloader,
    run_error::RunError,
    threads::{check_thread_limit, name_worker},
};
#[cfg(feature = "admin")]
use crate::admin::{AdminListener, AdminThread};
#[cfg(feature = "tls")]
use crate::config::Tls;
#[cfg(feature = "cli")]
use crate::fault_log::{self, FaultLogError, FaultLogWriter};
#[cfg(feature = "history")]
use crate::history::{self, History, HistoryError};
#[cfg(feature = "redis")]
use crate::relay::{Parkers, Relay};
#[cfg(all(feature = "history", feature = "rooms"))]
use crate::rooms::{Past, PastMessage};
use crate::{
    config::{Config, Spin},
    connection::{Connection, Incoming, Socket},
    listener::{
        Acceptor, AcceptorControl, Address, BindError, Binder, BoundListener, InheritedSocket,
        StreamListener, skip_missing_addresses,
    },
    logging,
    metrics::{Registry, Stats},
    shared::{FaultSource, MessageReceiver, Phase, SharedState, WAKE, log_faults},
    telemetry::Recorder,
    worker::Worker,
};

/// An echo server that is bound to its addresses and ready to run.
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream, thread};
/// use common::endpoint::Endpoint;
///
/// let mut config = server::Config::default();
/// config.listeners = vec![server::Listener::tcp("127.0.0.1", 0)];
/// let server = server::Server::bind(config)?;
/// let (endpoints, handle) = (server.endpoints(), server.handle());
/// let running = thread::spawn(|| server.run());
///
/// let Endpoint::Tcp(at) = &endpoints[0] else { panic!("the only listener is a TCP listener") };
/// let mut client = TcpStream::connect((&at.host[..], at.port))?;
/// client.write_all(b"hello\nexit\n")?;
/// let mut reply = String::new();
/// client.read_to_string(&mut reply)?;
/// assert_eq!(reply, "hello\nGoodbye!\n");
/// drop(client); // a draining server waits for its clients to close
///
/// handle.shutdown();
/// let stats = running.join().expect("the server does not panic")?;
/// assert_eq!(stats.connections, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    config: Config,
    listeners: Vec<BoundListener>,
    acceptor_poll: Poll,
    /// The poll and the messages of each worker.
    workers: Vec<(Poll, MessageReceiver)>,
    control: Arc<AcceptorControl>,
    handle: Handle,
    #[cfg(feature = "admin")]
    admin: Option<AdminListener>,
    #[cfg(feature = "redis")]
    relay_parkers: Option<Parkers>,
}

impl Server {
    /// Binds a server to its addresses. Clients can connect from now on; they are served once
    /// [`run`](Self::run) is called.
    ///
    /// # Errors
    ///
    /// If a host does not resolve, or the system refuses to listen. See [`BindError`].
    pub fn bind(config: Config) -> Result<Self, BindError> {
        Self::bind_with(config, Vec::new())
    }

    /// Like [`bind`](Self::bind), but a listener whose endpoint is that of an inherited socket uses that socket.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(config: Config, inherited: Vec<InheritedSocket>) -> Result<Self, BindError> {
        let registry = Arc::new(Registry::new(config.workers.get()));
        let (listeners, open) = bind_all(&config, inherited, &registry)?;
        #[cfg(feature = "admin")]
        let admin = AdminListener::bind(&config)?;
        // Polls and wakers exist before any thread does, so no connection is dispatched to a missing worker.
        let acceptor_poll = Poll::new().map_err(BindError::System)?;
        let worker_polls = (0..config.workers.get()).map(|_| Poll::new());
        let worker_polls =
            worker_polls.collect::<io::Result<Vec<_>>>().map_err(BindError::System)?;
        let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).map_err(BindError::System);
        let worker_wakers = worker_polls.iter().map(waker).collect::<Result<_, _>>()?;
        let (shared, messages) =
            SharedState::new(&config, registry, waker(&acceptor_poll)?, worker_wakers);
        let control = Arc::new(AcceptorControl::default());
        let reloader = Reloader::new(&config, open, Arc::clone(&control), &shared);
        #[cfg(feature = "redis")]
        let relay_parkers = config.relay.as_ref().map(|url| {
            let (relay, parkers) = Relay::new(url, &shared.rooms);
            shared.relay.get_or_init(|| relay);
            parkers
        });
        let handle = Handle { shared: Arc::new(shared), reloader: Arc::new(reloader) };
        let workers = worker_polls.into_iter().zip(messages).collect();
        Ok(Self {
            config,
            listeners,
            acceptor_poll,
            workers,
            control,
            handle,
            #[cfg(feature = "admin")]
            admin,
            #[cfg(feature = "redis")]
            relay_parkers,
        })
    }

    /// Returns the endpoints of the listeners, in the order of the configuration, with the actual port
    /// where the configuration says port 0. A host name with several addresses has an endpoint for each.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.listeners.iter().map(|listener| listener.endpoint().clone()).collect()
    }

    /// Returns the endpoints of the admin listener, with the actual port; none without one.
    #[cfg(feature = "admin")]
    #[must_use]
    pub fn admin_endpoints(&self) -> Vec<Endpoint> {
        self.admin.iter().flat_map(AdminListener::endpoints).cloned().collect()
    }

    /// Returns the TLS of each listener that has it, with the address as the log names it: `tls://127.0.0.1:7000`.
    #[cfg(feature = "tls")]
    pub fn tls_addresses(&self) -> impl Iterator<Item = (String, &Tls)> {
        self.listeners.iter().filter_map(|listener| Some((listener.address(), listener.tls()?)))
    }

    /// Returns a handle to this server, for other threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until a [`Handle`] shuts the server down and its connections are closed.
    ///
    /// # Errors
    ///
    /// If a thread of the server failed. See [`RunError`].
    pub fn run(self) -> Result<Stats, RunError> {
        self.run_with(|| {})
    }

    /// Like [`run`](Self::run), and calls `ready` when its threads serve.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_with(self, ready: impl FnOnce()) -> Result<Stats, RunError> {
        let Self { config, listeners, acceptor_poll, workers, control, handle, .. } = self;
        let shared = handle.shared;
        let fail = |error| {
            control.close();
            RunError::Threads(error)
        };
        check_thread_limit(workers.len()).map_err(fail)?;
        #[cfg(feature = "cli")]
        let fault_log = start_fault_log(&shared).inspect_err(|_| control.close())?;
        #[cfg(feature = "history")]
        let history = start_history(&config, &shared).inspect_err(|_| control.close())?;
        #[cfg(all(feature = "history", feature = "rooms"))]
        restore_rooms(history.as_ref(), &config, &shared).inspect_err(|_| control.close())?;
        // Dropped at the end of this function, after the workers have ended: it answers through the whole drain.
        #[cfg(feature = "admin")]
        let admin = self.admin.map(|admin| AdminThread::start(admin, &shared)).transpose();
        #[cfg(feature = "admin")]
        let _admin = admin.map_err(fail)?;
        #[cfg(feature = "redis")]
        let relay = shared.relay.get().zip(self.relay_parkers);
        #[cfg(feature = "redis")]
        let relay = relay.map(|(relay, parkers)| RelayThreads::start(relay, parkers, &shared));
        #[cfg(feature = "redis")]
        let relay = relay.transpose().map_err(fail)?;
        let streams = open_all(listeners, &shared);
        let pool = start_workers(
            workers,
            config.spin,
            &shared,
            #[cfg(feature = "history")]
            history.as_ref(),
        );
        info!(event = "waiting"; "Waiting for client connections...");
        ready();
        shared.run_supervised(|| Acceptor::new(&shared, &control, streams, acceptor_poll)?.run());
        // The acceptor has closed every listener: all accepted connections are in the queue.
        shared.dispatch.close();
        pool.join();
        #[cfg(feature = "redis")]
        if let Some(relay) = relay {
            relay.end(shared.phase.get());
        }
        control.close();
        close_undispatched(&shared);
        #[cfg(feature = "cli")]
        end_fault_log(fault_log);
        #[cfg(feature = "history")]
        history.into_iter().for_each(History::close);
        let stats = shared.counters.stats();
        log_totals(&stats);
        info!(event = "stopped"; "Server shutdown complete");
        if shared.has_failed() { Err(RunError::ThreadFailed) } else { Ok(stats) }
    }
}

/// Waits until the records of injected faults are written, also those of this thread.
#[cfg(feature = "cli")]
fn end_fault_log(fault_log: Option<FaultLogWriter>) {
    fault_log::detach();
    drop(fault_log);
}

/// Starts the workers, each with its poll and its messages.
fn start_workers(
    workers: Vec<(Poll, MessageReceiver)>,
    spin: Spin,
    shared: &Arc<SharedState<Incoming<Socket>>>,
    #[cfg(feature = "history")] history: Option<&History>,
) -> ThreadPool {
    let pool = ThreadPool::with_name("worker".into(), workers.len());
    for (index, (poll, messages)) in workers.into_iter().enumerate() {
        let shared = Arc::clone(shared);
        #[cfg(feature = "history")]
        let recorder = history.map(History::recorder);
        pool.execute(move || {
            name_worker(index);
            shared.consolidation.register(index);
            logging::defer();
            #[cfg(feature = "cli")]
            shared.fault_log.iter().for_each(|log| fault_log::attach(log, true));
            #[cfg(feature = "history")]
            recorder.into_iter().for_each(history::attach);
            shared.run_supervised(|| Worker::new(index, spin, &shared, poll, messages).run());
        });
    }
    pool
}

/// Starts the fault log, if the configuration has one, and makes the acceptor's thread, which calls this, record faults.
#[cfg(feature = "cli")]
fn start_fault_log(
    shared: &SharedState<Incoming<Socket>>,
) -> Result<Option<FaultLogWriter>, FaultLogError> {
    let Some(log) = &shared.fault_log else { return Ok(None) };
    let writer = log.start()?;
    fault_log::attach(log, false);
    Ok(Some(writer))
}

/// Starts the history, if the configuration has one.
#[cfg(feature = "history")]
fn start_history(
    config: &Config,
    shared: &SharedState<Incoming<Socket>>,
) -> Result<Option<History>, HistoryError> {
    let Some(options) = &config.history else { return Ok(None) };
    let history = History::start(options.clone(), config.workers.get())?;
    shared.history.get_or_init(|| history.stats_reader());
    Ok(Some(history))
}

/// Tells the rooms that they are recorded, and gives them their last numbers and messages, as many as a listener shows to new
/// members.
#[cfg(all(feature = "history", feature = "rooms"))]
fn restore_rooms(
    history: Option<&History>,
    config: &Config,
    shared: &SharedState<Incoming<Socket>>,
) -> Result<(), HistoryError> {
    let Some(history) = history else { return Ok(()) };
    shared.rooms.set_recorded();
    let rooms = config.listeners.iter().filter_map(|listener| listener.options.room.as_ref());
    let Some(messages) = rooms.map(|room| room.history).max() else { return Ok(()) };
    let past = history.recorded_rooms(messages)?.into_iter().map(|room| {
        let messages = room.messages.into_iter().map(|message| PastMessage {
            number: message.sequence,
            name: message.name.into(),
            time: u64::try_from(message.time / 1000).unwrap_or_default(),
            text: message.bytes.into(),
        });
        (room.name.into(), Past { last: room.last, messages: messages.collect() })
    });
    shared.rooms.set_past(past.collect());
    Ok(())
}

/// Binds the listeners of a configuration, with the inherited sockets where the endpoints are the same.
fn bind_all(
    config: &Config,
    mut inherited: Vec<InheritedSocket>,
    registry: &Arc<Registry>,
) -> Result<(Vec<BoundListener>, Vec<OpenListener>), BindError> {
    let (mut listeners, mut open) = (Vec::new(), Vec::<OpenListener>::new());
    let binder = Binder::new(config, registry);
    for listener in &config.listeners {
        check_faults(listener)?;
        let has_endpoint = |socket: &mut InheritedSocket| *socket.endpoint() == listener.endpoint;
        let bound = if let Some(socket) = inherited.extract_if(.., has_endpoint).next() {
            vec![(None, binder.adopt(listener, socket).map_err(BindError::System)?)]
        } else {
            let addresses = Address::resolve(&listener.endpoint)?;
            let bound = binder.bind(listener, &addresses, None);
            let bound = addresses.into_iter().map(Some).zip(bound);
            let bound = bound.map(|(address, bound)| Ok((address, bound?))).collect();
            skip_missing_addresses(bound, false).map_err(|error| explain(error, &open))?
        };
        for (requested, bound) in bound {
            open.push(OpenListener::new(listener, requested, &bound));
            listeners.push(bound);
        }
    }
    Ok((listeners, open))
}

/// Names the listener that has an address already, if it is one of this server: its name has the address.
fn explain(error: BindError, open: &[OpenListener]) -> BindError {
    let Some(address) = error.address_in_use() else { return error };
    let same = open.iter().find(|open| open.endpoint == address);
    same.map_or(error, |same| BindError::Twice { address, other: same.listener.endpoint.clone() })
}

/// Logs the listeners, gives the UDP sockets to the workers, and returns the others for the acceptor.
fn open_all(
    listeners: Vec<BoundListener>,
    shared: &SharedState<Incoming<Socket>>,
) -> Vec<StreamListener> {
    let mut streams = Vec::new();
    for listener in listeners {
        let address = listener.address();
        info!(event = "started", address; "Echo server started on {address}");
        let policy = listener.policy();
        policy.counters().set_open(true);
        log_faults(&address, policy.faults(), FaultSource::Settings);
        match listener {
            BoundListener::Stream(listener) => streams.push(listener),
            BoundListener::Udp(listener) => shared.open_udp(listener),
        }
    }
    streams
}

/// Closes the connections that no worker took before the workers ended.
fn close_undispatched(shared: &SharedState<Incoming<Socket>>) {
    let telemetry = Recorder::new(0, &shared.counters.workers[0], false);
    while let Some(incoming) = shared.dispatch.pop() {
        let now = Instant::now();
        let mut connection = match incoming {
            Incoming::New { stream, peer, permit, accepted_at, .. } => {
                let counters = Arc::clone(permit.policy().counters.worker(0));
                telemetry.assigned(&counters, now.saturating_duration_since(accepted_at));
                Connection::new(stream, &peer, permit, counters, accepted_at, now)
            }
            Incoming::Migrated(connection) => *connection,
        };
        connection.cut(shared.phase.get() == Phase::Stopped, &telemetry);
        connection.close(now, &telemetry);
    }
}

fn log_totals(stats: &Stats) {
    let Stats { connections, probes, refused, datagrams, datagrams_refused, .. } = stats;
    debug!(event = "totals", connections, probes, refused, datagrams, datagrams_refused;
        "Served {connections} connections, {probes} of them without data; refused \
         {refused}. Answered {datagrams} datagrams; refused {datagrams_refused}");
}
