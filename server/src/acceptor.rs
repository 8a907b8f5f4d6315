//! The acceptor: takes connections from the kernel and hands them to the workers.
//!
//! It survives whatever `accept` says (`accept(2)`): a connection that was aborted before it was
//! accepted is no loss; where the system has no descriptor or no memory for another, it rests for a
//! moment and tries again by the clock, because the poll does not tell the same readiness twice.
//!
//! It knows nothing of what is served, and of workers only that they drain a queue.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write as _},
    os::fd::OwnedFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use common::{protocol::Protocol, reason::reason};
use log::{debug, error, warn};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::{
    limits,
    listening::Listening,
    open::Full,
    peer::Peer,
    phase::Phase,
    refusal,
    reload::{Ack, Command},
    shared::{Shared, WAKE},
    stream::{Socket, Stream as _},
    terms::Terms,
    throttle::{More, Throttle},
    worker::Incoming,
};

/// The acceptor and what it owns.
pub(crate) struct Acceptor<'a> {
    shared: &'a Shared<Incoming<Socket>>,
    listeners: Slab<Slot>,
    /// Listeners in whose backlog there may be somebody, in the order of their turns.
    ready: VecDeque<usize>,
    poll: Poll,
    /// Accepted, and the queue had no room for it.
    waiting: Option<Incoming<Socket>>,
    refusals: Throttle,
    failures: Throttle,
}

/// A listener, and what is known of its backlog.
struct Slot {
    listening: Listening,
    /// Somebody has been taken from it since it was last found empty.
    had_somebody: bool,
    closing: Option<Closing>,
}

/// A listener that is to be closed when whoever has come by now is accepted.
struct Closing {
    /// So many at most: no more are in any backlog.
    left: usize,
    _ack: Ack,
}

/// Why the acceptor stopped accepting for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// Nobody is in the backlog; the poll says when there is.
    BacklogEmpty,
    /// Whoever was in the backlog has been taken; where they came from there may be more.
    BacklogEmptied,
    /// So many have been taken that it is time to look around.
    TurnOver,
    /// The workers have enough in the queue; they wake us.
    QueueFull,
    /// The system is short of something; only time helps.
    Shortage,
}

impl<'a> Acceptor<'a> {
    pub(crate) fn new(
        shared: &'a Shared<Incoming<Socket>>,
        listeners: Vec<Listening>,
        poll: Poll,
    ) -> io::Result<Self> {
        let mut acceptor = Self {
            shared,
            listeners: Slab::new(),
            ready: VecDeque::new(),
            poll,
            waiting: None,
            refusals: Throttle::new(limits::COMPLAINT_INTERVAL),
            failures: Throttle::new(limits::COMPLAINT_INTERVAL),
        };
        listeners.into_iter().try_for_each(|listening| acceptor.add(listening))?;
        Ok(acceptor)
    }

    fn add(&mut self, listening: Listening) -> io::Result<()> {
        let key = self.listeners.insert(Slot { listening, had_somebody: false, closing: None });
        debug_assert_ne!(Token(key), WAKE);
        let source = self.listeners[key].listening.socket.source();
        self.poll.registry().register(source, Token(key), Interest::READABLE).inspect_err(|_| {
            self.listeners.remove(key);
        })
    }

    /// Accepts until the server drains. Whoever was connected by then is handed over before the
    /// listener is closed: closing it resets those who are still in the backlog.
    ///
    /// # Errors
    ///
    /// Only if the poll itself fails, which takes a bug or a broken system.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        while self.shared.phase.get() == Phase::Running {
            self.shared.counters.rounds.add(1);
            while let Some((command, ack)) = self.shared.control.next_command() {
                self.execute(command, ack);
            }
            let timeout = match self.accept_all() {
                Pause::BacklogEmptied => {
                    // Whoever else wants this core has it now, and if the next client comes meanwhile,
                    // it costs no sleep and no wake. Where many connections live for one message, and
                    // the cores are busy, this is a tenth of what each of them costs.
                    thread::yield_now();
                    self.hear_of_others(&mut events)?;
                    continue;
                }
                Pause::TurnOver => {
                    self.hear_of_others(&mut events)?;
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

    fn execute(&mut self, command: Command, ack: Ack) {
        match command {
            Command::Open(listening) => {
                let address = listening.address();
                if let Err(error) = self.add(listening) {
                    error!(event = "not-reloaded"; "Cannot listen on {address}: {}", reason(&error));
                }
            }
            Command::Change(old, new) => {
                if let Some(key) = self.find(&old) {
                    self.listeners[key].listening.terms = new;
                }
            }
            Command::Close(terms) => {
                if let Some(key) = self.find(&terms) {
                    let left = usize::try_from(limits::BACKLOG).unwrap_or(usize::MAX);
                    self.listeners[key].closing = Some(Closing { left, _ack: ack });
                    self.look_at(key);
                }
            }
        }
    }

    /// The listener with these terms.
    fn find(&self, terms: &Arc<Terms>) -> Option<usize> {
        let is_its = |slot: &Slot| Arc::ptr_eq(&slot.listening.terms, terms);
        self.listeners.iter().find(|(_, slot)| is_its(slot)).map(|(key, _)| key)
    }

    /// There may be somebody in this listener's backlog.
    fn look_at(&mut self, key: usize) {
        if !self.ready.contains(&key) {
            self.ready.push_back(key);
        }
    }

    /// Accepts whoever was in the backlog when the drain began, for as long as it may take.
    fn accept_the_rest(&mut self, events: &mut Events) -> io::Result<()> {
        let by = self.shared.drained_by();
        // Who has not been listened to yet will not be.
        self.shared.control.clear();
        // The poll may not have said yet where somebody is.
        self.ready = self.listeners.iter().map(|(key, _)| key).collect();
        while self.shared.phase.get() == Phase::Draining {
            let pause = match self.accept_all() {
                Pause::BacklogEmpty | Pause::BacklogEmptied => break,
                Pause::TurnOver => Some(Duration::ZERO),
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
            let (terms, ip) = waiting.counts_as();
            self.shared.open.release(terms, ip);
        }
        Ok(())
    }

    /// Where one listener always has somebody, the others are not to wait until it has not.
    fn hear_of_others(&mut self, events: &mut Events) -> io::Result<()> {
        if self.listeners.len() > 1 { self.sleep(events, Some(Duration::ZERO)) } else { Ok(()) }
    }

    fn sleep(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in events.iter() {
            let key = event.token().0;
            if self.listeners.contains(key) {
                self.look_at(key);
            }
        }
        Ok(())
    }

    /// Accepts whoever waits at the listeners that are ready, one from each in turn, and not for ever.
    fn accept_all(&mut self) -> Pause {
        let mut emptied = VecDeque::new();
        for _ in 0..limits::TURN_ACCEPTS {
            if let Some(waiting) = self.waiting.take()
                && let Err(waiting) = self.shared.handoff.push(waiting)
            {
                self.waiting = Some(waiting);
                return Pause::QueueFull;
            }
            let Some(&key) = self.ready.front() else {
                if emptied.is_empty() {
                    return Pause::BacklogEmpty;
                }
                self.ready = emptied;
                return Pause::BacklogEmptied;
            };
            let slot = &mut self.listeners[key];
            if slot.closing.as_ref().is_some_and(|closing| closing.left == 0) {
                self.close(key);
                continue;
            }
            match slot.listening.socket.accept() {
                Ok((stream, peer)) => {
                    slot.had_somebody = true;
                    slot.closing.iter_mut().for_each(|closing| closing.left -= 1);
                    let terms = Arc::clone(&slot.listening.terms);
                    self.ready.rotate_left(1);
                    self.admit(stream, peer, terms);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if slot.closing.is_some() {
                        self.close(key);
                        continue;
                    }
                    self.ready.pop_front();
                    if std::mem::take(&mut slot.had_somebody) {
                        emptied.push_back(key);
                    }
                }
                Err(error) if concerns_one_peer(&error) => {
                    debug!("Cannot accept: {}", reason(&error));
                }
                Err(error) => {
                    self.complain(&error);
                    return Pause::Shortage;
                }
            }
        }
        self.ready.append(&mut emptied);
        Pause::TurnOver
    }

    /// Closing the socket takes it out of the poll as well.
    fn close(&mut self, key: usize) {
        self.listeners.remove(key);
        self.ready.retain(|&ready| ready != key);
    }

    fn complain(&mut self, error: &io::Error) {
        if self.failures.pass(Instant::now()).is_some() {
            warn!(event = "accept-failed";
                "Cannot accept connections for now: {}; those who wait are served as soon as it can",
                reason(error));
        }
    }

    fn admit(&mut self, stream: OwnedFd, peer: Peer, terms: Arc<Terms>) {
        match self.shared.open.acquire(&terms, terms.source_of(&peer)) {
            Ok(()) => self.waiting = Some(Incoming::New(stream.into(), peer, terms)),
            Err(full) => self.refuse(stream.into(), &peer, terms.protocol, full),
        }
    }

    /// Tells a peer for whom there is no room why it is closed on.
    fn refuse(&mut self, mut stream: Socket, peer: &Peer, protocol: Protocol, full: Full) {
        self.shared.counters.refused.add(1);
        let reply = refusal::reply(protocol, full);
        // A new socket has room for a line. If the peer is gone already, nobody misses it.
        let _ = stream.write(&reply).and_then(|_| stream.half_close());
        drop(stream);
        if let Some(more) = self.refusals.pass(Instant::now()) {
            warn!(event = "refused", peer:% = peer;
                "Refused {peer}: at the limit of {full}{}", More(more));
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
