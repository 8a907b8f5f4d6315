//! One worker of the pool: an event loop that serves the connections it has taken.
//!
//! A round of the loop: take what is to be taken off the queue, sleep if there is nothing to do,
//! collect what the poll says, give each connection that is ready one turn, see whose time is up.
//! A connection that used up its turn is ready again in the next round, behind the others.
//!
//! A worker that has more to do than it can, while another has time, gives some of its connections back
//! to the queue, whole as they are.
//!
//! The worker knows when a connection is to be looked at, and nothing of what it then does.

use std::{
    io,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token,
    event::{Event, Source},
};
use slab::Slab;

use crate::{
    balance::{Balance, Done, Surplus},
    connection::{Connection, Readiness, Room, Turn},
    datagram::Responders,
    journal::Journal,
    limits, logging,
    peer::Peer,
    phase::Phase,
    shared::{Shared, WAKE},
    spin::{Spin, Spinner},
    stream::Stream,
    sweep::Sweep,
    terms::Terms,
    timers::{Armed, Timers},
};

/// What a connection always waits for: bytes, urgent ones among them.
const READ: Interest = Interest::READABLE.add(Interest::PRIORITY);

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) enum Incoming<S> {
    /// From the acceptor: a socket, its peer, and the terms on which it came.
    New(S, Peer, Arc<Terms>),
    /// From another worker.
    Given(Box<Connection<S>>),
}

impl<S: Stream> Incoming<S> {
    /// What it counts as: one on these terms, from this address.
    pub(crate) fn counts_as(&self) -> (&Terms, Option<IpAddr>) {
        match self {
            Self::New(_, peer, terms) => (terms, terms.source_of(peer)),
            Self::Given(connection) => (connection.terms(), connection.ip()),
        }
    }
}

/// An event loop and all that it owns.
pub(crate) struct Worker<'a, S> {
    seat: usize,
    shared: &'a Shared<Incoming<S>>,
    journal: Journal<'a>,
    poll: Poll,
    connections: Slab<Slot<S>>,
    /// UDP sockets; their keys are none of a connection.
    responders: Responders,
    /// Keys of who is to have a turn; each at most once, see [`Slot::queued`].
    ready: Vec<usize>,
    timers: Timers,
    sweep: Sweep,
    spinner: Spinner,
    balance: Balance,
    /// It has given connections away lately, and takes none.
    full: bool,
    /// Since when there has been something to do.
    busy_since: Instant,
    /// The connections have been told that the server is leaving.
    draining: bool,
    /// When they will not be waited for any longer, once they have been told; `None`: never.
    drained_by: Option<Instant>,
    buffer: Box<[u8]>,
    now: Instant,
}

/// A connection, and what only its worker knows of it.
struct Slot<S> {
    connection: Connection<S>,
    armed: Armed,
    /// It is in [`Worker::ready`].
    queued: bool,
    done: Done,
    /// The poll has been asked to say when the socket takes bytes again. Most never need it, so it
    /// is asked for at the first tail, and then left.
    watches_write: bool,
}

impl<'a, S: Stream + Source> Worker<'a, S> {
    pub(crate) fn new(
        seat: usize,
        spin: Spin,
        shared: &'a Shared<Incoming<S>>,
        poll: Poll,
    ) -> Self {
        let now = Instant::now();
        Self {
            seat,
            shared,
            journal: Journal::new(
                &shared.counters.workers[seat],
                shared.log_messages.load(Relaxed),
            ),
            poll,
            connections: Slab::new(),
            responders: Responders::default(),
            ready: Vec::new(),
            timers: Timers::default(),
            sweep: Sweep::default(),
            draining: false,
            drained_by: None,
            spinner: Spinner::new(spin),
            balance: Balance::new(shared.counters.workers.len(), now),
            full: false,
            busy_since: now,
            buffer: vec![0; limits::READ_BUFFER].into_boxed_slice(),
            now,
        }
    }

    /// Serves until the server has stopped, or has drained and nobody is left.
    ///
    /// # Errors
    ///
    /// Only if the poll itself fails, which takes a bug or a broken system.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(limits::EVENTS);
        loop {
            match self.shared.phase.get() {
                Phase::Running => {}
                Phase::Draining => {
                    self.begin_drain();
                    if self.is_done() {
                        break;
                    }
                }
                Phase::Stopped => break,
            }
            self.shared.counters.workers[self.seat].rounds.add(1);
            self.journal.log_messages(self.shared.log_messages.load(Relaxed));
            self.take_connections();
            // What was logged is handed over when its echo has long been sent.
            logging::hand_over();
            let heard_until = self.wait(&mut events)?;
            self.note_readiness(&events);
            self.give_turns();
            // Nobody's time is up whose bytes may only not have been heard of yet.
            if let Some(until) = heard_until {
                self.expire(until);
            }
            if self.balance.is_due(self.now) {
                self.balance();
            }
        }
        self.cut_all();
        logging::hand_over();
        Ok(())
    }

    fn is_done(&self) -> bool {
        let late = self.drained_by.is_some_and(|by| self.now >= by);
        let nobody = self.connections.is_empty() && self.responders.is_empty();
        late || (nobody && self.shared.handoff.is_drained())
    }

    /// The first time: tells every connection that the server is leaving.
    fn begin_drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        self.drained_by = self.shared.drained_by();
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].connection.drain();
            self.queue(key);
        }
        // What is in the mailbox was bound before.
        self.look_into_mailbox();
        self.responders.leave(&mut self.ready);
    }

    fn take_connections(&mut self) {
        for _ in 0..limits::TURN_TAKES {
            match self.shared.handoff.take(self.seat) {
                Some(Incoming::New(stream, peer, terms)) => {
                    self.journal.taken();
                    self.add(Connection::new(stream, &peer, terms, self.now), false);
                }
                Some(Incoming::Given(connection)) => self.add(*connection, true),
                None => return,
            }
        }
    }

    /// Makes a connection one of ours. Another worker's may have had something to do.
    fn add(&mut self, connection: Connection<S>, was_anothers: bool) {
        let slot = Slot {
            connection,
            armed: Armed::default(),
            queued: false,
            done: Done::default(),
            watches_write: false,
        };
        let key = self.connections.insert(slot);
        let stream = self.connections[key].connection.stream_mut();
        if let Err(error) = self.poll.registry().register(stream, Token(key), READ) {
            self.journal.not_registered(self.connections[key].connection.peer(), &error);
            self.remove(key);
            return;
        }
        if self.draining {
            self.connections[key].connection.drain();
        }
        if self.draining || was_anothers {
            self.queue(key);
        }
        self.arm(key);
    }

    /// Looks whether others have less to do than we can, and gives them some of it.
    fn balance(&mut self) {
        let counters = &self.shared.counters.workers;
        let busy = counters.iter().map(|worker| Duration::from_nanos(worker.busy.get()));
        let share = self.balance.judge(self.now, self.seat, busy);
        let share = share.filter(|_| !self.draining);
        // Or we would take back what we give.
        self.full = share.is_some();
        self.shared.handoff.set_full(self.seat, self.full);
        let Some(share) = share else { return };
        let looks = self.balance.looks();
        let done = |slot: &Slot<S>| slot.done.before(looks);
        let mut surplus = Surplus::new(share, self.connections.iter().map(|(_, slot)| done(slot)));
        let given = self.connections.iter().filter(|(_, slot)| surplus.takes(done(slot)));
        let given: Vec<usize> = given.map(|(key, _)| key).collect();
        // What we have to say of them comes before what their new worker will have to say.
        logging::hand_over();
        let given = given.into_iter().filter(|&key| self.give(key)).count();
        if given > 0 {
            self.journal.given(given);
        }
    }

    /// Gives a connection to whoever has time for it. `false`: there is no way, or no room.
    fn give(&mut self, key: usize) -> bool {
        let stream = self.connections[key].connection.stream_mut();
        if let Err(error) = self.poll.registry().deregister(stream) {
            self.journal.not_registered(self.connections[key].connection.peer(), &error);
            self.remove(key);
            return false;
        }
        let connection = Box::new(self.take_out(key).connection);
        match self.shared.handoff.hand_back(self.seat, Incoming::Given(connection)) {
            Ok(()) => true,
            Err(Incoming::Given(connection)) => {
                self.add(*connection, true);
                false
            }
            Err(Incoming::New(..)) => unreachable!("what comes back is what was given"),
        }
    }

    /// Until `now` there was something to do.
    fn count_busy(&mut self, now: Instant) {
        let busy = now.saturating_duration_since(self.busy_since).as_nanos();
        self.busy_since = now;
        let counter = &self.shared.counters.workers[self.seat].busy;
        counter.add(u64::try_from(busy).unwrap_or(u64::MAX));
    }

    /// Sleeps until there is something to do; not at all if there already is. Says up to when all has
    /// been heard that there is to hear, if that is known: not if the sleep was interrupted, as it is
    /// when the process has been stopped and goes on (`signal(7)`).
    fn wait(&mut self, events: &mut Events) -> io::Result<Option<Instant>> {
        let idle = self.ready.is_empty();
        self.spinner.round();
        // Before the poll: a stop of the process behind it would make those late who came meanwhile.
        let mut begun = self.now;
        if idle {
            begun = Instant::now();
            self.count_busy(begun);
        }
        let heard = (idle && self.spin(events)?) || self.sleep(events, idle)?;
        self.now = Instant::now();
        if idle {
            self.busy_since = self.now;
        } else {
            self.count_busy(self.now);
        }
        let told = heard.then(|| events.iter().count());
        let sockets = self.connections.len() + self.responders.len();
        Ok(told.and_then(|told| self.sweep.heard(begun, told, sockets)))
    }

    /// Polls, and sleeps for it if there is nothing else to do. `false`: it was interrupted.
    fn sleep(&mut self, events: &mut Events, idle: bool) -> io::Result<bool> {
        let sleeps = idle && self.shared.handoff.fall_asleep(self.seat);
        let timeout = if sleeps { self.until_next_deadline() } else { Some(Duration::ZERO) };
        let polled = self.poll.poll(events, timeout);
        if sleeps {
            self.shared.handoff.woke(self.seat);
        }
        match polled {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Looks for events for a moment, if that seems to pay; says whether it found any.
    fn spin(&mut self, events: &mut Events) -> io::Result<bool> {
        let Some(patience) = self.spinner.patience() else {
            return Ok(false);
        };
        let patience = self.until_next_deadline().map_or(patience, |left| left.min(patience));
        let start = Instant::now();
        let mut before = start;
        let mut look = Duration::ZERO;
        while !self.shared.handoff.is_for(self.seat) {
            match self.poll.poll(events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                polled => polled?,
            }
            if !events.is_empty() {
                self.spinner.found();
                return Ok(true);
            }
            // Whoever had this core in the meantime has not used it to send us something.
            if self.spinner.is_kept_off(look) || before.duration_since(start) >= patience {
                self.spinner.missed();
                break;
            }
            // Whoever else wants this core has it now, and the clock will tell.
            std::thread::yield_now();
            let now = Instant::now();
            look = now.duration_since(std::mem::replace(&mut before, now));
        }
        Ok(false)
    }

    /// `None`: there is none, so nothing but an event ends the sleep.
    fn until_next_deadline(&self) -> Option<Duration> {
        // Who sleeps has time: it must not be held for full for longer than until the next look.
        let look = self.full.then(|| self.balance.next());
        let next = [self.timers.next(), self.drained_by, look].into_iter().flatten().min()?;
        // The time since the last look at the clock has passed as well.
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn note_readiness(&mut self, events: &Events) {
        for event in events {
            // An event may be about a connection that has gone since; or be spurious: a turn more
            // than needed does no harm.
            let Some(slot) = self.connections.get_mut(event.token().0) else {
                self.note_other(event);
                continue;
            };
            let more_behind = event.is_read_closed() || event.is_error() || event.is_priority();
            let readable = event.is_readable() || more_behind;
            slot.connection.ready(Readiness { readable, more_behind });
            self.queue(event.token().0);
        }
    }

    /// An event that is not of a connection that is here.
    #[cold]
    fn note_other(&mut self, event: &Event) {
        if event.token() == WAKE {
            self.look_into_mailbox();
        } else {
            self.responders.note(event.token(), &mut self.ready);
        }
    }

    /// UDP sockets may have come or be to go.
    fn look_into_mailbox(&mut self) {
        let (mailboxes, registry) = (&self.shared.mailboxes, self.poll.registry());
        self.responders.collect(mailboxes, self.seat, registry, &self.journal, &mut self.ready);
    }

    fn queue(&mut self, key: usize) {
        let slot = &mut self.connections[key];
        if !std::mem::replace(&mut slot.queued, true) {
            self.ready.push(key);
        }
    }

    /// Gives each connection that was ready when the round began one turn.
    fn give_turns(&mut self) {
        let turns = self.ready.len();
        for at in 0..turns {
            self.give_turn(self.ready[at]);
        }
        self.ready.drain(..turns);
    }

    fn give_turn(&mut self, key: usize) {
        let Some(slot) = self.connections.get_mut(key) else {
            return self.give_responder_turn(key);
        };
        slot.queued = false;
        slot.done.turn(self.balance.looks());
        let mut room = Room {
            buffer: &mut self.buffer,
            journal: &self.journal,
            open: &self.shared.open,
            now: self.now,
        };
        // A bug that a peer has found costs that peer its connection, and nobody else theirs. What it
        // leaves half done is dropped with it; the buffer means nothing between turns.
        let turn = catch_unwind(AssertUnwindSafe(|| slot.connection.turn(&mut room)));
        match turn {
            Ok(Turn::Wait) => self.settle(key),
            Ok(Turn::Again) => {
                self.queue(key);
                self.arm(key);
            }
            Ok(Turn::Over) => self.remove(key),
            Err(_) => {
                self.journal.panicked(slot.connection.peer());
                self.remove(key);
            }
        }
    }

    #[cold]
    fn give_responder_turn(&mut self, key: usize) {
        let mut room = Room {
            buffer: &mut self.buffer,
            journal: &self.journal,
            open: &self.shared.open,
            now: self.now,
        };
        self.responders.give_turn(key, &mut room, self.poll.registry(), &mut self.ready);
    }

    /// After a turn: asks the poll for what is newly of interest, and arms the deadline.
    fn settle(&mut self, key: usize) {
        let slot = &mut self.connections[key];
        if slot.connection.wants_write() && !slot.watches_write {
            let interest = READ | Interest::WRITABLE;
            let registered =
                self.poll.registry().reregister(slot.connection.stream_mut(), Token(key), interest);
            if let Err(error) = registered {
                self.journal.not_registered(slot.connection.peer(), &error);
                return self.remove(key);
            }
            slot.watches_write = true;
        }
        self.arm(key);
    }

    fn arm(&mut self, key: usize) {
        let slot = &mut self.connections[key];
        let Some(deadline) = slot.connection.deadline() else {
            return;
        };
        self.timers.arm(key, &mut slot.armed, deadline);
        // Connections that have gone leave their entries behind.
        if self.timers.len() > limits::TIMERS + 2 * self.connections.len() {
            let slots = &self.connections;
            self.timers.keep(|key, at| slots.get(key).is_some_and(|slot| slot.armed.is(at)));
        }
    }

    /// Closes whoever has had nothing to say until then, and should have.
    fn expire(&mut self, until: Instant) {
        while let Some((key, at)) = self.timers.pop_due(until) {
            if !self.connections.get_mut(key).is_some_and(|slot| slot.armed.fires(at)) {
                continue;
            }
            // The poll tells of room in a socket when a third of it is free. A slow reader can take longer
            // for that than it may take for a byte, so the socket is asked itself.
            if self.is_late(key, until) && self.connections[key].connection.wants_write() {
                self.give_turn(key);
            }
            let is_over = self.is_late(key, until)
                && self.connections[key].connection.expire(until, &self.journal) == Turn::Over;
            if is_over {
                self.remove(key);
            } else if self.connections.contains(key) {
                self.arm(key);
            }
        }
    }

    /// Whether a connection is there, and its deadline had passed by then.
    fn is_late(&self, key: usize, until: Instant) -> bool {
        let slot = self.connections.get(key);
        let deadline = slot.and_then(|slot| slot.connection.deadline());
        deadline.is_some_and(|deadline| deadline <= until)
    }

    /// Closes the socket, which takes it out of the poll as well.
    fn remove(&mut self, key: usize) {
        let slot = self.take_out(key);
        self.shared.handoff.let_go(self.seat);
        self.shared.open.release(slot.connection.terms(), slot.connection.ip());
        let (peer, is_known) = (slot.connection.peer().to_owned(), slot.connection.is_known());
        drop(slot);
        if is_known {
            self.journal.closed(&peer);
        } else {
            self.journal.probed(&peer);
        }
    }

    fn take_out(&mut self, key: usize) -> Slot<S> {
        let slot = self.connections.remove(key);
        if slot.queued {
            self.ready.retain(|&ready| ready != key);
        }
        slot
    }

    /// The server cannot wait any longer: whoever is still here is dropped.
    fn cut_all(&mut self) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            let connection = &self.connections[key].connection;
            let (peer, unsent) = (connection.peer(), connection.unsent());
            if self.shared.phase.get() == Phase::Stopped {
                self.journal.dropped(peer, unsent);
            } else {
                self.journal.cut(peer, unsent);
            }
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream as StdStream},
        thread,
    };

    use mio::{Registry, Waker};

    use super::*;
    use crate::{
        config::{Config, Listener},
        reload::Control,
        shared::WAKE,
        stream::Socket,
    };

    /// A socket whose reader has a bug: it panics when it has read `panic`.
    #[derive(Debug)]
    struct Trap(Socket);

    impl Read for Trap {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(buffer)?;
            assert!(!buffer[..read].starts_with(b"panic"), "the bug");
            Ok(read)
        }
    }

    impl Write for Trap {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    impl Stream for Trap {
        fn half_close(&mut self) -> io::Result<()> {
            self.0.half_close()
        }
        fn received(&self) -> io::Result<u64> {
            self.0.received()
        }
    }

    impl Source for Trap {
        fn register(
            &mut self,
            registry: &Registry,
            token: Token,
            interest: Interest,
        ) -> io::Result<()> {
            self.0.register(registry, token, interest)
        }
        fn reregister(
            &mut self,
            registry: &Registry,
            token: Token,
            interest: Interest,
        ) -> io::Result<()> {
            self.0.reregister(registry, token, interest)
        }
        fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
            self.0.deregister(registry)
        }
    }

    /// Hands a new connection over, and returns its other end.
    fn connect(listener: &TcpListener, shared: &Shared<Incoming<Trap>>) -> StdStream {
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let terms = Arc::new(Terms::new(&Listener::tcp("127.0.0.1", 0)));
        shared.open.acquire(&terms, Some(peer.ip())).expect("there is no limit");
        let incoming = Incoming::New(Trap(stream.into()), Peer::remote(peer), terms);
        shared.handoff.push(incoming).expect("the queue has room");
        client
    }

    fn echo(client: &mut StdStream, text: &[u8]) -> Vec<u8> {
        client.write_all(text).unwrap();
        let mut back = vec![0; text.len()];
        client.read_exact(&mut back).unwrap();
        back
    }

    #[test]
    fn a_panic_costs_one_connection() {
        let (acceptor, poll) = (Poll::new().unwrap(), Poll::new().unwrap());
        let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).unwrap();
        let config = Config::default();
        let control = Control::new(&config, &[], &[]);
        let shared = Shared::new(&config, control, waker(&acceptor), vec![waker(&poll)]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        thread::scope(|scope| {
            let worker = scope.spawn(|| Worker::new(0, config.spin, &shared, poll).run());
            let mut before = connect(&listener, &shared);
            assert_eq!(echo(&mut before, b"hello"), b"hello");

            let mut unlucky = connect(&listener, &shared);
            unlucky.write_all(b"panic").unwrap();
            assert_eq!(unlucky.read(&mut [0; 8]).unwrap(), 0, "closed");

            assert_eq!(echo(&mut before, b"still here"), b"still here");
            let mut after = connect(&listener, &shared);
            assert_eq!(echo(&mut after, b"welcome"), b"welcome");
            assert_eq!(shared.counters.stats().panics, 1);

            drop((before, after));
            shared.enter(Phase::Draining);
            shared.handoff.close();
            worker.join().unwrap().unwrap();
        });
    }
}
