//! The server as a whole: bound, run, drained; and the handle by which it is asked to leave.

use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    sync::{Arc, mpsc},
    thread,
};

use common::reason::reason;
use log::{debug, info};
use mio::{Poll, Waker};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;
use threadpool::ThreadPool;

use crate::{
    acceptor::Acceptor,
    config::Config,
    counters::Stats,
    journal::Journal,
    limits, logging,
    phase::Phase,
    shared::{Shared, WAKE},
    stream::Socket as Stream,
    worker::{Incoming, Worker},
};

/// An echo server that has its address and is about to run.
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream, thread};
///
/// let mut config = server::Config::default();
/// config.port = 0;
/// let server = server::Server::bind(config)?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// let running = thread::spawn(|| server.run());
///
/// let mut client = TcpStream::connect(addr)?;
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
    local_addr: SocketAddr,
    listener: mio::net::TcpListener,
    acceptor_poll: Poll,
    worker_polls: Vec<Poll>,
    shared: Arc<Shared<Incoming<Stream>>>,
}

/// A hand on a server from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared<Incoming<Stream>>>,
}

/// Why a server cannot listen. Each says all there is to say: they have no `source` to print as well.
#[derive(Debug, Error)]
pub enum BindError {
    /// The host is no address, and no name that has one.
    #[error("the host '{host}' does not resolve: {}", reason(cause))]
    Resolve {
        /// As given.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// The system does not let us listen there.
    #[error("cannot listen on {addr}: {}", advice(cause))]
    Listen {
        /// The last address that was tried.
        addr: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The system has no room for another server.
    #[error("cannot set up the server: {}", reason(.0))]
    System(io::Error),
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
    /// Binds a server to its address. Nobody is served before [`run`](Self::run), but from here on
    /// clients can connect and wait.
    ///
    /// # Errors
    ///
    /// If the host does not resolve, or the system does not let us listen. See [`BindError`].
    pub fn bind(config: Config) -> Result<Self, BindError> {
        let listener = listen(&config)?;
        let local_addr = listener.local_addr().map_err(BindError::System)?;
        // Polls and wakers are there before any thread, so nobody is ever handed over to nowhere.
        let polls = 1 + config.workers.get();
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
        let shared = Shared::new(&config, acceptor_waker, wakers);
        let listener = mio::net::TcpListener::from_std(listener);
        Ok(Self {
            config,
            local_addr,
            listener,
            acceptor_poll,
            worker_polls,
            shared: Arc::new(shared),
        })
    }

    /// The address that clients connect to; it names the port if any free one was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
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
        let Self { config, local_addr, listener, acceptor_poll, worker_polls, shared } = self;
        info!(event = "started", address:% = local_addr; "Echo server started on {local_addr}");
        let config = Arc::new(config);
        rehearse(worker_polls.len()).map_err(RunError::Threads)?;
        let pool = ThreadPool::with_name("worker".into(), worker_polls.len());
        for (seat, poll) in worker_polls.into_iter().enumerate() {
            let (config, shared) = (Arc::clone(&config), Arc::clone(&shared));
            pool.execute(move || {
                name_thread(seat);
                logging::defer();
                shared.keep_going(|| Worker::new(seat, &config, &shared, poll).run());
            });
        }
        info!(event = "waiting"; "Waiting for client connections...");
        shared.keep_going(|| Acceptor::new(&config, &shared, listener, acceptor_poll)?.run());
        // The acceptor, and with it the listener, is gone: whoever has come is in the queue.
        shared.handoff.close();
        pool.join();
        // Whoever is there still came too late for the workers.
        while let Some(incoming) = shared.handoff.take_any() {
            shared.open.release(incoming.ip());
            if let Incoming::Given(connection) = incoming {
                let journal = Journal::new(&shared.counters.workers[0], config.log_messages);
                journal.cut(connection.peer(), connection.unsent());
                journal.closed(connection.peer());
            }
        }
        let Stats { connections, probes, refused, .. } = shared.counters.stats();
        debug!(event = "totals", connections, probes, refused;
            "Served {connections} connections, {probes} of them without a word; refused {refused}");
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

    /// Where the server is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.shared.phase.get()
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

/// Listens on the first of the host's addresses that lets us.
fn listen(config: &Config) -> Result<TcpListener, BindError> {
    let (host, port) = (&config.host[..], config.port);
    let resolve = |cause| BindError::Resolve { host: host.to_owned(), cause };
    let mut error = resolve(io::Error::other("it has no address"));
    for addr in (host, port).to_socket_addrs().map_err(resolve)? {
        match listen_on(addr, config.reuse_port) {
            Ok(listener) => return Ok(listener),
            Err(cause) => error = BindError::Listen { addr, cause },
        }
    }
    Err(error)
}

fn listen_on(addr: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server may bind although connections of the old one are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(limits::BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let socket = SockRef::from(&listener);
    // What is set on a listener holds for what it accepts (Linux, BSD): no call per connection.
    socket.set_tcp_nodelay(true)?;
    // Urgent data is data like any other: it comes back in its place.
    socket.set_out_of_band_inline(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_IDLE)
        .with_interval(limits::KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    Ok(listener)
}

/// What the system said, and what to do about it.
fn advice(error: &io::Error) -> String {
    let advice = match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => {
            "another program listens there; stop it, choose another port, or start both with --reuse-port"
        }
        Some(Errno::ADDRNOTAVAIL) => "it is not an address of this machine; choose one that is",
        Some(Errno::ACCESS) => "ports below 1024 need privilege; choose a higher one",
        _ => return reason(error),
    };
    format!("{} ({advice})", reason(error))
}

/// Names the calling thread after its seat: what `top -H` and a debugger show.
fn name_thread(seat: usize) {
    if let Ok(name) = std::ffi::CString::new(format!("worker-{}", seat + 1)) {
        // A name is a courtesy; nothing depends on it.
        let _ = rustix::thread::set_name(&name);
    }
}
