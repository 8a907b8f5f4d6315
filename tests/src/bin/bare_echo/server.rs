//! The threads and their epoll loops.
//!
//! All threads accept from one listener and distribute the connections round robin. Each thread has its own epoll
//! instance and connection table, and takes dispatched connections from its queue when it receives an event for an
//! unknown descriptor.

use std::{
    convert::Infallible,
    io::{self, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::Context as _;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    io::Errno,
};

/// Event data of the listener; the event data of a connection is its descriptor.
const LISTENER: u64 = u64::MAX;

/// Maximum number of events per `epoll_wait`.
const EVENTS: usize = 1024;

/// Size of the buffer of each thread, in bytes.
const BUFFER: usize = 64 * 1024;

/// A connection of the server.
pub(crate) trait Connection {
    /// Echoes all received bytes; returns whether the connection stays open.
    fn echo(&mut self, buffer: &mut [u8]) -> bool;
}

/// State that all threads share.
pub(crate) struct Server {
    listener: TcpListener,
    workers: Vec<Worker>,
    /// Number of accepted connections.
    accepted: AtomicUsize,
}

/// Epoll instance of a thread and its queue of dispatched connections.
struct Worker {
    epoll: OwnedFd,
    queue: Mutex<Vec<TcpStream>>,
}

impl Worker {
    fn new(listener: &TcpListener) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
        epoll::add(&epoll, listener, EventData::new_u64(LISTENER), flags)?;
        Ok(Self { epoll, queue: Mutex::new(Vec::new()) })
    }

    fn take_dispatched<C: Connection>(
        &self,
        connections: &mut Vec<Option<C>>,
        connection: impl Fn(TcpStream) -> C,
    ) {
        for stream in self.queue.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let key = usize::try_from(stream.as_raw_fd()).expect("not negative");
            if connections.len() <= key {
                connections.resize_with(key + 1, || None);
            }
            connections[key] = Some(connection(stream));
        }
    }
}

impl Server {
    pub(crate) fn new(listener: TcpListener, threads: usize) -> anyhow::Result<Self> {
        let workers: Vec<Worker> =
            (0..threads).map(|_| Worker::new(&listener)).collect::<Result<_, _>>()?;
        Ok(Self { listener, workers, accepted: AtomicUsize::new(0) })
    }

    /// Runs a loop on each thread until one of them fails, and then ends the process.
    pub(crate) fn serve<C: Connection>(
        &self,
        connection: &(impl Fn(TcpStream) -> C + Sync),
    ) -> anyhow::Result<()> {
        // A loop ends only with an error, which ends the process.
        let (result, results) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..self.workers.len() {
                let result = result.clone();
                scope.spawn(move || result.send(self.run(number, connection)));
            }
            let Err(error) = results.recv()?;
            let _ = writeln!(io::stderr(), "bare-echo: {error:#}");
            process::exit(1)
        })
    }

    /// Serves connections until an error occurs that affects more than one connection.
    fn run<C: Connection>(
        &self,
        number: usize,
        connection: impl Fn(TcpStream) -> C,
    ) -> anyhow::Result<Infallible> {
        let worker = &self.workers[number];
        // Indexed by descriptor: the kernel assigns the lowest free one, so the table has few gaps.
        let mut connections: Vec<Option<C>> = Vec::new();
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER];
        loop {
            events.clear();
            match epoll::wait(&worker.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let data = event.data.u64();
                if data == LISTENER {
                    self.accept()?;
                    continue;
                }
                let key = usize::try_from(data).expect("a descriptor");
                if connections.get(key).is_none_or(Option::is_none) {
                    worker.take_dispatched(&mut connections, &connection);
                }
                let slot = &mut connections[key];
                if let Some(connection) = slot
                    && !connection.echo(&mut buffer)
                {
                    *slot = None;
                }
            }
        }
    }

    /// Accepts one client and dispatches it to the next worker.
    fn accept(&self) -> anyhow::Result<()> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("cannot accept"),
        };
        stream.set_nodelay(true)?;
        let next = self.accepted.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let worker = &self.workers[next];
        let key = EventData::new_u64(u64::try_from(stream.as_raw_fd()).expect("not negative"));
        let mut queue = worker.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Edge-triggered: the kernel does not check the socket again in every `epoll_wait`. A worker that
        // receives an event before the push waits for the lock and then finds the connection.
        epoll::add(&worker.epoll, &stream, key, EventFlags::IN | EventFlags::ET)?;
        queue.push(stream);
        Ok(())
    }
}
