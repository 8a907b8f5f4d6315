//! `bare-echo`: a minimal echo server, the floor of the benchmarks.
//!
//! An epoll loop with `recv` and `send`. No log, no limits, no protocol and no write buffer: a `send` to a
//! full socket blocks the whole thread. This does not happen with clients that keep less in flight than a
//! socket buffer holds. It is a baseline for measurements, not a usable server.
//!
//! All threads accept from one listener and distribute the connections round robin. Each thread has its
//! own epoll instance and connection table, and takes dispatched connections from its queue when it
//! receives an event for an unknown descriptor.
//!
//! It exits at the end of its standard input, so it never outlives the program that started it.

use std::{
    convert::Infallible,
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    num::NonZero,
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
use clap::Parser;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    io::Errno,
    net::{RecvFlags, SendFlags, listen, recv, send},
};

/// Event data of the listener; the event data of a connection is its descriptor.
const LISTENER: u64 = u64::MAX;

/// Length of the accept queue; the system may limit it further.
const BACKLOG: i32 = 4096;

/// Maximum number of events per `epoll_wait`.
const EVENTS: usize = 1024;

/// Maximum number of bytes per `recv`.
const BUFFER: usize = 64 * 1024;

/// Minimal epoll echo server on 127.0.0.1, for comparison
#[derive(Debug, Parser)]
struct Args {
    /// Port to listen on; 0 selects a free port
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Number of threads, each with its own epoll loop and connections
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .with_context(|| format!("cannot listen on port {}", args.port))?;
    // Several threads wake for one client; the ones that do not get it must not block in `accept`.
    listener.set_nonblocking(true)?;
    // Thousands of clients connect at the same time; a full queue delays a client by a second.
    listen(&listener, BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    thread::spawn(|| {
        // Input and errors do not matter: only the end of standard input does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    // A loop ends only with an error, which ends the process.
    let (result, results) = mpsc::channel();
    let workers: Vec<Worker> =
        (0..args.threads.get()).map(|_| Worker::new(&listener)).collect::<Result<_, _>>()?;
    let server = Server { listener, workers, accepted: AtomicUsize::new(0) };
    thread::scope(|scope| {
        for number in 0..server.workers.len() {
            let (server, result) = (&server, result.clone());
            scope.spawn(move || result.send(server.serve(number)));
        }
        let Err(error) = results.recv()?;
        let _ = writeln!(io::stderr(), "bare-echo: {error:#}");
        process::exit(1)
    })
}

/// State that all threads share.
struct Server {
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
}

impl Server {
    /// Serves connections until an error occurs that affects more than one connection.
    fn serve(&self, number: usize) -> anyhow::Result<Infallible> {
        let worker = &self.workers[number];
        // Indexed by descriptor: the kernel assigns the lowest free one, so the table has few gaps.
        let mut connections: Vec<Option<TcpStream>> = Vec::new();
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
                    worker.take_dispatched(&mut connections);
                }
                let slot = &mut connections[key];
                if let Some(stream) = slot
                    && !echo(stream, &mut buffer)
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

impl Worker {
    fn take_dispatched(&self, connections: &mut Vec<Option<TcpStream>>) {
        for stream in self.queue.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let key = usize::try_from(stream.as_raw_fd()).expect("not negative");
            if connections.len() <= key {
                connections.resize_with(key + 1, || None);
            }
            connections[key] = Some(stream);
        }
    }
}

/// Echoes all received bytes; returns whether the connection stays open.
fn echo(stream: &TcpStream, buffer: &mut [u8]) -> bool {
    loop {
        let len = match recv(stream, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return false,
            Ok((len, _)) => len,
            Err(error) => return error == Errno::AGAIN,
        };
        let mut sent = 0;
        while sent < len {
            match send(stream, &buffer[sent..len], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(_) => return false,
            }
        }
        // A short read has emptied the socket; later bytes cause a new event.
        if len < buffer.len() {
            return true;
        }
    }
}
