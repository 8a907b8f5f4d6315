//! The acceptor: accepts connections from the kernel and pushes them onto the dispatch queue.
//!
//! It survives every error of `accept(2)`. A connection that was aborted before it was accepted is skipped.
//! When the system is out of descriptors or memory, the acceptor pauses and retries by the clock, because
//! the poll does not report the same readiness twice.
//!
//! It does not know how a connection is served.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write as _},
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use common::reason::reason;
use log::{debug, error, info, warn};
use mio::{Events, Poll};

use super::{
    accept_error::{concerns_one_peer, is_backlog_empty},
    closing::{Closing, accept_handshakes},
    control::{AcceptorControl, Ack, Command},
    listener_set::ListenerSet,
    listening_socket::StreamListener,
};
use crate::{
    admission::{ConnectionPolicy, LimitReached, Peer, rejection_reply},
    config::limits,
    connection::{Incoming, Socket, Stream as _},
    shared::{Phase, SharedState},
    telemetry::LogThrottle,
};

/// The acceptor and the listeners that it owns.
pub(crate) struct Acceptor<'a> {
    shared: &'a SharedState<Incoming<Socket>>,
    control: &'a AcceptorControl,
    listeners: ListenerSet,
    poll: Poll,
    /// An accepted connection for which the queue had no room.
    waiting: Option<Incoming<Socket>>,
    rejections: LogThrottle,
    failures: LogThrottle,
}

/// Reason why the acceptor has stopped accepting for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// The backlogs are empty; the poll reports the next connection.
    BacklogEmpty,
    /// The backlogs have just been emptied; more connections may follow.
    BacklogEmptied,
    /// The budget of one turn is used up.
    TurnOver,
    /// The queue is full; the workers wake the acceptor when it has room.
    QueueFull,
    /// The system is out of a resource; only time helps.
    Shortage,
}

impl<'a> Acceptor<'a> {
    pub(crate) fn new(
        shared: &'a SharedState<Incoming<Socket>>,
        control: &'a AcceptorControl,
        listeners: Vec<StreamListener>,
        poll: Poll,
    ) -> io::Result<Self> {
        let mut set = ListenerSet::default();
        listeners.into_iter().try_for_each(|listener| set.add(listener, &poll))?;
        Ok(Self {
            shared,
            control,
            listeners: set,
            poll,
            waiting: None,
            rejections: LogThrottle::new(limits::LOG_THROTTLE),
            failures: LogThrottle::new(limits::LOG_THROTTLE),
        })
    }

    /// Accepts until the server drains. Then the listeners close as [`closing`](super::closing) describes.
    ///
    /// # Errors
    ///
    /// Only if the poll itself fails, which takes a bug or a broken system.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(8);
        while self.shared.phase.get() == Phase::Running {
            self.shared.counters.iterations.add(1);
            while let Some((command, ack)) = self.control.next() {
                self.execute(command, ack);
            }
            let delay = self.shared.until_drain();
            if delay == Some(Duration::ZERO) {
                self.shared.advance(Phase::Draining);
                break;
            }
            let check = self.listeners.check_handshakes();
            let timeout = match self.accept_all() {
                Pause::BacklogEmptied => {
                    // Yield the core: a client that connects before this thread continues costs no sleep and no
                    // wakeup. If many connections send one message each and the cores are busy, this saves a
                    // tenth of the cost per connection.
                    thread::yield_now();
                    self.poll_other_listeners(&mut events)?;
                    continue;
                }
                Pause::TurnOver => {
                    self.poll_other_listeners(&mut events)?;
                    continue;
                }
                Pause::BacklogEmpty | Pause::QueueFull => check,
                Pause::Shortage => Some(limits::ACCEPT_PAUSE),
            };
            self.poll(&mut events, [timeout, delay].into_iter().flatten().min())?;
        }
        info!("Shutting down server...");
        self.close_listeners(&mut events)
    }

    fn execute(&mut self, command: Command, ack: Ack) {
        match command {
            Command::Open(listener) => {
                let address = listener.address();
                let policy = Arc::clone(&listener.policy);
                if let Err(error) = self.listeners.add(listener, &self.poll) {
                    policy.has_failed.store(true, SeqCst);
                    error!(event = "not-reloaded"; "Cannot listen on {address}: {}", reason(&error));
                }
            }
            Command::Change(old, new) => self.listeners.change(&old, new),
            Command::Close(policy) => self.listeners.begin_close(&policy, ack),
        }
    }

    /// Closes the listeners, after their backlogs are accepted, within the drain timeout.
    fn close_listeners(&mut self, events: &mut Events) -> io::Result<()> {
        let deadline = self.shared.drain_deadline();
        // Listeners that a reload was about to open stay closed.
        self.control.close();
        self.listeners.begin_close_all();
        while self.shared.phase.get() == Phase::Draining && !self.listeners.is_empty() {
            let check = self.listeners.check_handshakes();
            let pause = match self.accept_all() {
                Pause::BacklogEmpty => check,
                Pause::BacklogEmptied | Pause::TurnOver => Some(Duration::ZERO),
                Pause::QueueFull => None,
                Pause::Shortage => Some(limits::ACCEPT_PAUSE),
            };
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.listeners.is_empty() {
                break;
            }
            self.poll(events, [pause, left].into_iter().flatten().min())?;
        }
        self.log_unserved();
        Ok(())
    }

    /// Logs the clients that the end of the drain cuts off before a worker has them.
    fn log_unserved(&mut self) {
        if let Some(Incoming::New { peer, .. }) = self.waiting.take() {
            warn!(event = "drain-timeout", peer:% = peer;
                "Client {peer} was not served before the end of the drain");
        }
        for address in self.listeners.with_backlog() {
            warn!(event = "drain-timeout", address;
                "The clients in the backlog of {address} were not served before the end of the drain");
        }
    }

    /// Polls without waiting, so that a listener that is always busy does not delay the others.
    fn poll_other_listeners(&mut self, events: &mut Events) -> io::Result<()> {
        if self.listeners.len() > 1 { self.poll(events, Some(Duration::ZERO)) } else { Ok(()) }
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        for event in events.iter() {
            self.listeners.mark_ready(event.token().0);
        }
        Ok(())
    }

    /// Accepts from the ready listeners, one connection from each in turn, up to the budget of a turn.
    fn accept_all(&mut self) -> Pause {
        let mut emptied = VecDeque::new();
        for _ in 0..limits::TURN_ACCEPTS {
            if let Some(waiting) = self.waiting.take()
                && let Err(waiting) = self.shared.dispatch.push(waiting)
            {
                self.waiting = Some(waiting);
                return Pause::QueueFull;
            }
            let Some(&key) = self.listeners.ready.front() else {
                if emptied.is_empty() {
                    return Pause::BacklogEmpty;
                }
                self.listeners.ready = emptied;
                return Pause::BacklogEmptied;
            };
            if let Some(pause) = self.accept_one(key, &mut emptied) {
                return pause;
            }
        }
        self.listeners.ready.append(&mut emptied);
        Pause::TurnOver
    }

    /// Accepts one connection from the first ready listener, or adds the listener to `emptied`.
    fn accept_one(&mut self, key: usize, emptied: &mut VecDeque<usize>) -> Option<Pause> {
        let slot = self.listeners.slot_mut(key);
        if slot.closing.as_ref().is_some_and(Closing::has_accepted_all) {
            self.listeners.close(key);
            return None;
        }
        match slot.listener.socket.accept() {
            Ok((stream, peer)) => {
                slot.has_accepted = true;
                if let Some(closing) = &mut slot.closing {
                    closing.count_accepted();
                    accept_handshakes(&stream);
                }
                let policy = Arc::clone(&slot.listener.policy);
                self.listeners.ready.rotate_left(1);
                self.admit(stream, peer, &policy);
            }
            Err(error) if is_backlog_empty(&error, &slot.listener.socket) => {
                let is_closing = slot.closing.as_ref();
                if is_closing.is_some_and(|closing| closing.waits_for_handshakes_with().is_none()) {
                    self.listeners.close(key);
                    return None;
                }
                let has_accepted = std::mem::take(&mut slot.has_accepted);
                self.listeners.ready.pop_front();
                if has_accepted {
                    emptied.push_back(key);
                }
            }
            Err(error) if concerns_one_peer(&error) => {
                debug!("Cannot accept a connection: {}", reason(&error));
            }
            Err(error) => {
                self.log_failure(&error);
                return Some(Pause::Shortage);
            }
        }
        None
    }

    fn log_failure(&mut self, error: &io::Error) {
        if let Some(suppressed) = self.failures.allow(Instant::now()) {
            warn!(event = "accept-failed";
                "Cannot accept connections: {}; they wait in the backlog until it is possible{suppressed}",
                reason(error));
        }
    }

    fn admit(&mut self, stream: OwnedFd, peer: Peer, policy: &Arc<ConnectionPolicy>) {
        match self.shared.limits.admit(policy, policy.source_of(&peer)) {
            Ok(permit) => {
                policy.counters.acceptor.accepted.add(1);
                let (stream, accepted_at) = (stream.into(), Instant::now());
                // The order of the accepts numbers them.
                let faults = policy.faults.get().map(|injector| Box::new(injector.next_plan()));
                self.waiting = Some(Incoming::New { stream, peer, permit, accepted_at, faults });
            }
            Err(limit) => self.reject(stream.into(), &peer, policy, limit),
        }
    }

    /// Sends a peer the reason for its rejection and closes the connection.
    fn reject(
        &mut self,
        mut stream: Socket,
        peer: &Peer,
        policy: &ConnectionPolicy,
        limit: LimitReached,
    ) {
        policy.counters.acceptor.refused.of(limit.kind()).add(1);
        // Before its handshake, a client of a layer cannot read a line.
        if !policy.has_layer() {
            let reply = rejection_reply(&policy.options, limit);
            // A new socket has room for a line. An error means that the peer is gone already.
            let sent = stream.write(&reply);
            policy.counters.acceptor.bytes_sent.add(*sent.as_ref().unwrap_or(&0) as u64);
            let _ = sent.and_then(|_| stream.half_close());
        }
        drop(stream);
        if let Some(suppressed) = self.rejections.allow(Instant::now()) {
            warn!(event = "refused", peer:% = peer;
                "Refused {peer}: at the limit of {limit}{suppressed}");
        }
    }
}
