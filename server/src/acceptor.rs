//! The acceptor: takes connections from the kernel and hands them to the workers.
//!
//! It survives whatever `accept` says (`accept(2)`): a connection that was aborted before it was
//! accepted is no loss; where the system has no descriptor or no memory for another, it rests for a
//! moment and tries again by the clock, because the poll does not tell the same readiness twice.
//!
//! It knows nothing of what is served, and of workers only that they drain a queue.

use std::{
    io::{self, ErrorKind, Write},
    net::{Shutdown, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use common::{
    frame,
    protocol::{FULL, Protocol},
    reason::reason,
};
use log::{debug, warn};
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

use crate::{
    config::Config,
    limits,
    open::Full,
    phase::Phase,
    shared::{Shared, WAKE},
    stream::Socket,
    throttle::Throttle,
    worker::Incoming,
};

const LISTENER: Token = Token(0);

/// The acceptor and what it owns.
pub(crate) struct Acceptor<'a> {
    config: &'a Config,
    shared: &'a Shared<Incoming<Socket>>,
    listener: TcpListener,
    poll: Poll,
    /// Accepted, and the queue had no room for it.
    waiting: Option<Incoming<Socket>>,
    refusals: Throttle,
    failures: Throttle,
}

/// Why the acceptor stopped accepting for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// Nobody is in the backlog; the poll says when there is.
    BacklogEmpty,
    /// Whoever was in the backlog has been taken; where they came from there may be more.
    BacklogEmptied,
    /// The workers have enough in the queue; they wake us.
    QueueFull,
    /// The system is short of something; only time helps.
    Shortage,
}

impl<'a> Acceptor<'a> {
    pub(crate) fn new(
        config: &'a Config,
        shared: &'a Shared<Incoming<Socket>>,
        mut listener: TcpListener,
        poll: Poll,
    ) -> io::Result<Self> {
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            config,
            shared,
            listener,
            poll,
            waiting: None,
            refusals: Throttle::new(limits::COMPLAINT_INTERVAL),
            failures: Throttle::new(limits::COMPLAINT_INTERVAL),
        })
    }

    /// Accepts until the server drains. Whoever was connected by then is handed over before the
    /// listener is closed: closing it resets those who are still in the backlog.
    ///
    /// # Errors
    ///
    /// Only if the poll itself fails, which takes a bug or a broken system.
    pub(crate) fn run(mut self) -> io::Result<()> {
        debug_assert_ne!(LISTENER, WAKE);
        let mut events = Events::with_capacity(8);
        while self.shared.phase.get() == Phase::Running {
            let timeout = match self.accept_all() {
                Pause::BacklogEmptied => {
                    // Whoever else wants this core has it now, and if the next client comes meanwhile,
                    // it costs no sleep and no wake. Where many connections live for one message, and
                    // the cores are busy, this is a tenth of what each of them costs.
                    thread::yield_now();
                    continue;
                }
                Pause::BacklogEmpty | Pause::QueueFull => None,
                Pause::Shortage => Some(limits::ACCEPT_PAUSE),
            };
            self.sleep(&mut events, timeout)?;
        }
        log::info!("Shutting down server...");
        self.accept_the_rest(&mut events)
    }

    /// Accepts whoever was in the backlog when the drain began, for as long as it may take.
    fn accept_the_rest(&mut self, events: &mut Events) -> io::Result<()> {
        let by = self.shared.drained_by(self.config.drain_timeout);
        while self.shared.phase.get() == Phase::Draining {
            let pause = match self.accept_all() {
                Pause::BacklogEmpty | Pause::BacklogEmptied => break,
                Pause::QueueFull => None,
                Pause::Shortage => Some(limits::ACCEPT_PAUSE),
            };
            let left = by.map(|by| by.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            self.sleep(events, [pause, left].into_iter().flatten().min())?;
        }
        if let Some(waiting) = self.waiting.take() {
            self.shared.open.release(waiting.ip());
        }
        Ok(())
    }

    fn sleep(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            polled => polled,
        }
    }

    fn accept_all(&mut self) -> Pause {
        let mut empty = Pause::BacklogEmpty;
        loop {
            if let Some(waiting) = self.waiting.take()
                && let Err(waiting) = self.shared.handoff.push(waiting)
            {
                self.waiting = Some(waiting);
                return Pause::QueueFull;
            }
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    empty = Pause::BacklogEmptied;
                    match self.shared.open.acquire(peer.ip()) {
                        Ok(()) => self.waiting = Some(Incoming::New(stream.into(), peer)),
                        Err(full) => self.refuse(stream, peer, full),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return empty,
                Err(error) if concerns_one_peer(&error) => {
                    debug!("Cannot accept: {}", reason(&error));
                }
                Err(error) => {
                    self.complain(&error);
                    return Pause::Shortage;
                }
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if self.failures.pass(Instant::now()).is_some() {
            warn!(event = "accept-failed";
                "Cannot accept connections for now: {}; those who wait are served as soon as it can",
                reason(error));
        }
    }

    /// Tells a peer for whom there is no room why it is closed on.
    fn refuse(&mut self, mut stream: TcpStream, peer: SocketAddr, full: Full) {
        self.shared.counters.refused.add(1);
        let connections = |most| if most == 1 { "connection" } else { "connections" };
        let limit = match full {
            Full::All(most) => format!("{most} {}", connections(most)),
            Full::Source(most) => format!("{most} {} from one address", connections(most)),
        };
        let line = format!("{FULL}: it serves {limit} at most. Try again later.\r\n");
        let reply = match self.config.protocol {
            Protocol::Text | Protocol::Raw => line.into_bytes(),
            Protocol::Length => frame::encode(line.trim_end().as_bytes()).unwrap_or_default(),
        };
        // A new socket has room for a line. If the peer is gone already, nobody misses it.
        let _ = stream.write(&reply).and_then(|_| stream.shutdown(Shutdown::Write));
        drop(stream);
        if let Some(more) = self.refusals.pass(Instant::now()) {
            let more = if more > 0 {
                format!(" ({more} more since the last such line)")
            } else {
                String::new()
            };
            warn!(event = "refused", peer:% = peer;
                "Refused {peer}: at the limit of {limit}{more}");
        }
    }
}

/// Whether an error of `accept` is about the connection that it would have returned and no other:
/// Linux passes on what has gone wrong with it already (`accept(2)`, "Error handling").
fn concerns_one_peer(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [
            Errno::CONNABORTED,
            Errno::INTR,
            Errno::NETDOWN,
            Errno::PROTO,
            Errno::NOPROTOOPT,
            Errno::HOSTDOWN,
            Errno::NONET,
            Errno::HOSTUNREACH,
            Errno::OPNOTSUPP,
            Errno::NETUNREACH,
            Errno::PERM,
        ]
        .contains(&errno)
    })
}
