//! The server as a whole: bound, run, drained; and the handle by which it is asked to leave.

use std::{
    io,
    sync::{Arc, mpsc},
    thread,
};

use common::{endpoint::Endpoint, reason::reason};
use log::{debug, info};
use mio::{Poll, Waker};
use thiserror::Error;
use threadpool::ThreadPool;

use crate::{
    acceptor::Acceptor,
    bind::{BindError, adopt, bind},
    config::Config,
    counters::Stats,
    inherited::Inherited,
    journal::Journal,
    listening::Bound,
    logging,
    phase::Phase,
    pulse::Pulse,
    reload::{Control, ReloadError, reload},
    shared::{Shared, WAKE},
    stream::Socket,
    worker::{Incoming, Worker},
};

/// An echo server that has its address and is about to run.
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
/// let Endpoint::Tcp(at) = &endpoints[0] else { panic!("one for TCP was asked for") };
/// let mut client = TcpStream::connect((&at.host[..], at.port))?;
/// client.write_all(b"hello\nexit\n")?;
/// let mut reply = String::new();
/// client.read_to_string(&mut reply)?;
/// assert_eq!(reply, "hello\nGoodbye!\n");
/// drop(client); // a server that shuts down waits for its clients to leave
///
/// handle.shutdown();
/// let stats = running.join().expect("the server does not panic")?;
/// assert_eq!(stats.connections, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    config: Config,
    listeners: Vec<Bound>,
    acceptor_poll: Poll,
    worker_polls: Vec<Poll>,
    shared: Arc<Shared<Incoming<Socket>>>,
}

/// A hand on a server from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared<Incoming<Socket>>>,
}

/// Why a server that ran did not end well.
#[derive(Debug, Error)]
pub enum RunError {
    /// A thread of the server failed in a way that the others could not make up for, so the server
    /// stopped. Its last words are in the log.
    #[error("the server stopped because one of its threads failed; the log says how")]
    ThreadFailed,
    /// The system does not let us have that many threads.
    #[error("cannot start the workers: {}; choose fewer", reason(.0))]
    Threads(io::Error),
}

impl Server {
    /// Binds a server to its addresses. Nobody is served before [`run`](Self::run), but from here on
    /// clients can connect and wait.
    ///
    /// # Errors
    ///
    /// If a host does not resolve, or the system does not let us listen. See [`BindError`].
    pub fn bind(config: Config) -> Result<Self, BindError> {
        Self::bind_with(config, Vec::new())
    }

    /// As [`bind`](Self::bind); but a listener for whose endpoint there is a socket already has that one.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(config: Config, mut inherited: Vec<Inherited>) -> Result<Self, BindError> {
        let workers = config.workers.get();
        let passed: Vec<_> = inherited.iter().map(|socket| socket.endpoint().clone()).collect();
        let listeners = config.listeners.iter().map(|listener| {
            let is_its = |socket: &mut Inherited| *socket.endpoint() == listener.endpoint;
            match inherited.extract_if(.., is_its).next() {
                Some(socket) => adopt(listener, socket).map_err(BindError::System),
                None => bind(listener, config.reuse_port, workers),
            }
        });
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        // Polls and wakers are there before any thread, so nobody is ever handed over to nowhere.
        let polls = 1 + workers;
        let mut polls = (0..polls)
            .map(|_| Poll::new())
            .collect::<io::Result<Vec<_>>>()
            .map_err(BindError::System)?;
        let mut wakers = polls
            .iter()
            .map(|poll| Waker::new(poll.registry(), WAKE))
            .collect::<io::Result<Vec<_>>>()
            .map_err(BindError::System)?;
        let worker_polls = polls.split_off(1);
        let (Some(acceptor_poll), acceptor_waker) = (polls.pop(), wakers.remove(0)) else {
            unreachable!("the first of at least two polls")
        };
        let control = Control::new(&config, &listeners, &passed);
        let shared = Shared::new(&config, control, acceptor_waker, wakers);
        Ok(Self { config, listeners, acceptor_poll, worker_polls, shared: Arc::new(shared) })
    }

    /// Where clients connect to, in the order of the configuration; a port is named where any free one
    /// was asked for.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.listeners.iter().map(|listener| listener.endpoint().clone()).collect()
    }

    /// A hand on this server, for another thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Serves until a [`Handle`] asks it to leave, and everyone has left.
    ///
    /// # Errors
    ///
    /// If a thread of the server failed. See [`RunError`].
    pub fn run(self) -> Result<Stats, RunError> {
        self.run_with(|| {})
    }

    /// As [`run`](Self::run), and calls `ready` when its threads serve.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_with(self, ready: impl FnOnce()) -> Result<Stats, RunError> {
        let Self { config, listeners, acceptor_poll, worker_polls, shared } = self;
        let mut streams = Vec::new();
        for listener in listeners {
            let address = listener.address();
            info!(event = "started", address; "Echo server started on {address}");
            match listener {
                Bound::Stream(listening) => streams.push(listening),
                Bound::Datagram(listener) => shared.serve(listener),
            }
        }
        rehearse(worker_polls.len()).map_err(RunError::Threads)?;
        let pool = ThreadPool::with_name("worker".into(), worker_polls.len());
        for (seat, poll) in worker_polls.into_iter().enumerate() {
            let (spin, shared) = (config.spin, Arc::clone(&shared));
            pool.execute(move || {
                name_thread(seat);
                logging::defer();
                shared.keep_going(|| Worker::new(seat, spin, &shared, poll).run());
            });
        }
        info!(event = "waiting"; "Waiting for client connections...");
        ready();
        shared.keep_going(|| Acceptor::new(&shared, streams, acceptor_poll)?.run());
        // The acceptor, and with it every listener, is gone: whoever has come is in the queue.
        shared.handoff.close();
        pool.join();
        shared.mailboxes.clear();
        shared.control.clear();
        // Whoever is there still came too late for the workers.
        while let Some(incoming) = shared.handoff.take_any() {
            let (terms, ip) = incoming.counts_as();
            shared.open.release(terms, ip);
            if let Incoming::Given(connection) = incoming {
                let journal = Journal::new(&shared.counters.workers[0], false);
                journal.cut(connection.peer(), connection.unsent());
                journal.closed(connection.peer());
            }
        }
        let Stats { connections, probes, refused, datagrams, datagrams_refused, .. } =
            shared.counters.stats();
        debug!(event = "totals", connections, probes, refused, datagrams, datagrams_refused;
            "Served {connections} connections, {probes} of them without a word; refused {refused}. \
             Answered {datagrams} datagrams; refused {datagrams_refused}");
        info!(event = "stopped"; "Server shutdown complete");
        if shared.has_failed() { Err(RunError::ThreadFailed) } else { Ok(shared.counters.stats()) }
    }
}

impl Handle {
    /// Asks the server to leave: it accepts nobody any more, serves what it has received, says end of
    /// stream to its peers, and waits for them to leave, for at most the drain timeout.
    pub fn shutdown(&self) {
        self.shared.enter(Phase::Draining);
    }

    /// Makes the server drop everything and end now.
    pub fn stop(&self) {
        self.shared.enter(Phase::Stopped);
    }

    /// Has the server be as `config` says, as far as it can while it runs: listeners come, go, and have new
    /// terms for those who come from now on, and so do limits. Nobody is disconnected. The log says
    /// what became of listeners.
    ///
    /// Returns the names of the settings that differ from those the server was started with and take a
    /// restart. A server that drains changes nothing.
    ///
    /// # Errors
    ///
    /// If a listener cannot be had; then nothing has changed, or all but that one.
    pub fn reload(&self, config: &Config) -> Result<Vec<&'static str>, ReloadError> {
        reload(&self.shared, config)
    }

    /// Where the server is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.phase.get()
    }

    /// A finger on the pulse of its threads.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse::new(Arc::clone(&self.shared))
    }

    /// What has been counted up to now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.open.now()
    }
}

/// Sees whether the system lets us have so many threads: the pool itself panics if it does not.
fn rehearse(threads: usize) -> io::Result<()> {
    let mut waiting = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (end, wait) = mpsc::channel::<()>();
        let thread = thread::Builder::new().spawn(move || wait.recv())?;
        waiting.push((end, thread));
    }
    for (end, thread) in waiting {
        drop(end);
        // It waited for this, and has nothing to say.
        let _ = thread.join();
    }
    Ok(())
}

/// Names the calling thread after its seat: what `top -H` and a debugger show.
fn name_thread(seat: usize) {
    if let Ok(name) = std::ffi::CString::new(format!("worker-{}", seat + 1)) {
        // A name is a courtesy; nothing depends on it.
        let _ = rustix::thread::set_name(&name);
    }
}
