//! `bare-echo`: the least that an echo server can do, to compare others with.
//!
//! An epoll loop: `recv`, `send`, and nothing else. No log, no limits, no protocol, no room for what a
//! socket does not take: the send waits then, and everyone with it, which never happens to clients
//! that have less under way than a socket holds. So it is a yardstick and no server.
//!
//! Several threads take clients from one listener, and deal them out in turn: each thread has an
//! epoll and a table of its own, and looks into what others have dealt it only when it hears of a
//! connection that it does not know.
//!
//! It ends when its standard input does: no one who starts it can leave it behind.

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

/// The listener's event; connections have the numbers of their descriptors.
const LISTENER: u64 = u64::MAX;

/// Clients that may wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 4096;

/// The most events that are taken at once.
const EVENTS: usize = 1024;

/// The most bytes that are taken at once.
const BUFFER: usize = 64 * 1024;

/// A bare epoll echo server on 127.0.0.1, to compare others with
#[derive(Debug, Parser)]
struct Args {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// How many threads, each with an epoll loop and connections of its own
    #[arg(long, default_value = "1")]
    threads: NonZero<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .with_context(|| format!("cannot listen on port {}", args.port))?;
    // Of the threads that hear of a client one gets it; the others must not wait for the next.
    listener.set_nonblocking(true)?;
    // Thousands may come at once, and who has to come again for want of room comes a second later.
    listen(&listener, BACKLOG)?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    thread::spawn(|| {
        // Whatever it says, and however it ends.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    // A loop ends only by an error, and then all do.
    let (ended, end) = mpsc::channel();
    let hands: Vec<Hand> =
        (0..args.threads.get()).map(|_| Hand::new(&listener)).collect::<Result<_, _>>()?;
    let table = Table { listener, hands, dealt: AtomicUsize::new(0) };
    thread::scope(|scope| {
        for number in 0..table.hands.len() {
            let (table, ended) = (&table, ended.clone());
            scope.spawn(move || ended.send(table.serve(number)));
        }
        let Err(error) = end.recv()?;
        let _ = writeln!(io::stderr(), "bare-echo: {error:#}");
        process::exit(1)
    })
}

/// What all threads share.
struct Table {
    listener: TcpListener,
    hands: Vec<Hand>,
    /// How many connections there have been.
    dealt: AtomicUsize,
}

/// A thread's connections: where it hears of them, and those that it has not seen yet.
struct Hand {
    epoll: OwnedFd,
    dealt: Mutex<Vec<TcpStream>>,
}

impl Hand {
    fn new(listener: &TcpListener) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let woken = EventFlags::IN | EventFlags::EXCLUSIVE;
        epoll::add(&epoll, listener, EventData::new_u64(LISTENER), woken)?;
        Ok(Self { epoll, dealt: Mutex::new(Vec::new()) })
    }
}

impl Table {
    /// Serves connections until something fails that is not a connection's own.
    fn serve(&self, number: usize) -> anyhow::Result<Infallible> {
        let hand = &self.hands[number];
        // By descriptor: the kernel hands out the lowest that is free, so there are few gaps.
        let mut connections: Vec<Option<TcpStream>> = Vec::new();
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER];
        loop {
            events.clear();
            match epoll::wait(&hand.epoll, spare_capacity(&mut events), None) {
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
                    hand.pick_up(&mut connections);
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

    /// Takes one client and deals it to whose turn it is.
    fn accept(&self) -> anyhow::Result<()> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("cannot accept"),
        };
        stream.set_nodelay(true)?;
        let turn = self.dealt.fetch_add(1, Ordering::Relaxed) % self.hands.len();
        let hand = &self.hands[turn];
        let key = EventData::new_u64(u64::try_from(stream.as_raw_fd()).expect("not negative"));
        let mut dealt = hand.dealt.lock().unwrap_or_else(PoisonError::into_inner);
        // Told once, it need not be asked whether there is more, as a level would be in every round.
        // Whoever hears of it waits for the lock, and then finds it.
        epoll::add(&hand.epoll, &stream, key, EventFlags::IN | EventFlags::ET)?;
        dealt.push(stream);
        Ok(())
    }
}

impl Hand {
    fn pick_up(&self, connections: &mut Vec<Option<TcpStream>>) {
        for stream in self.dealt.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let key = usize::try_from(stream.as_raw_fd()).expect("not negative");
            if connections.len() <= key {
                connections.resize_with(key + 1, || None);
            }
            connections[key] = Some(stream);
        }
    }
}

/// Sends back what is there; whether the connection lives on.
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
                Ok(taken) => sent += taken,
                Err(_) => return false,
            }
        }
        // A short read has emptied the socket, and what comes later is told.
        if len < buffer.len() {
            return true;
        }
    }
}
