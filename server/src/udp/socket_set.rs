//! The UDP sockets of one worker, and their tokens in its poll and its ready list.
//!
//! Connections use the tokens from zero up; UDP sockets use those from [`LAST_TOKEN`] down.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Instant,
};

use mio::{Interest, Registry, Token};
use slab::Slab;

use super::{
    batch::Batch,
    echo_socket::{UdpEchoSocket, UdpTurnContext},
    socket::Headers,
};
use crate::{
    config::limits,
    connection::{Turn, TurnContext},
    telemetry::{DatagramEvent, Recorder, Suppressed},
};

/// The highest token of a UDP socket; the one above it belongs to the worker's waker.
pub(crate) const LAST_TOKEN: usize = usize::MAX - 2;

/// The UDP sockets of one worker.
#[derive(Debug, Default)]
pub(crate) struct UdpSocketSet {
    slots: Slab<Slot>,
    /// What the sockets use in their turns. `None`: there are no sockets.
    buffers: Option<Box<Buffers>>,
    /// Ports on which the server listens.
    own_ports: Arc<[u16]>,
    draining: bool,
}

#[derive(Debug)]
struct Buffers {
    batch: Batch,
    headers: Headers,
}

#[derive(Debug)]
struct Slot {
    echo_socket: UdpEchoSocket,
    /// The socket is in the ready list.
    queued: bool,
    /// The poll reports when the socket is writable: only while an answer waits, because every sent datagram
    /// makes room and would cause an event.
    watches_write: bool,
    /// The time at which a timer gives the socket a turn. Earlier timers of the socket are stale.
    armed: Option<Instant>,
}

/// Converts a key to a token or an entry of the ready list, and back.
fn mirrored(key: usize) -> usize {
    LAST_TOKEN - key
}

impl UdpSocketSet {
    /// Returns the number of sockets.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes a socket of a new listener.
    pub(crate) fn open(
        &mut self,
        echo_socket: UdpEchoSocket,
        registry: &Registry,
        telemetry: &Recorder<'_>,
    ) {
        let key = self.slots.insert(Slot {
            echo_socket,
            queued: false,
            watches_write: false,
            armed: None,
        });
        let UdpEchoSocket { socket, policy, .. } = &mut self.slots[key].echo_socket;
        let token = Token(mirrored(key));
        if let Err(error) = registry.register(socket.source(), token, Interest::READABLE) {
            telemetry.registration_failed(&policy.address, &error);
            policy.has_failed.store(true, SeqCst);
            self.remove(key);
        }
    }

    fn remove(&mut self, key: usize) {
        self.slots.remove(key);
        if self.slots.is_empty() {
            self.buffers = None;
        }
    }

    /// Handles a change of the listeners: drains the sockets of those that close. Adds the sockets that need a turn to
    /// `ready`.
    pub(crate) fn update_listeners(&mut self, own_ports: Arc<[u16]>, ready: &mut Vec<usize>) {
        self.own_ports = own_ports;
        self.drain_closing(ready);
    }

    /// Makes all sockets, present and future, close when the received datagrams are answered.
    pub(crate) fn drain(&mut self, ready: &mut Vec<usize>) {
        self.draining = true;
        self.drain_closing(ready);
    }

    fn drain_closing(&mut self, ready: &mut Vec<usize>) {
        for (key, slot) in &mut self.slots {
            if self.draining || slot.echo_socket.policy.is_closing() {
                slot.echo_socket.drain();
                queue(slot, key, ready);
            }
        }
    }

    /// Handles an event that does not belong to a connection: the socket gets a turn, whatever the event.
    pub(crate) fn handle_event(&mut self, token: Token, ready: &mut Vec<usize>) {
        let key = mirrored(token.0);
        if let Some(slot) = self.slots.get_mut(key) {
            queue(slot, key, ready);
        }
    }

    /// Gives a turn to all sockets, because faults of listeners have changed.
    pub(crate) fn update_faults(&mut self, ready: &mut Vec<usize>) {
        for (key, slot) in &mut self.slots {
            queue(slot, key, ready);
        }
    }

    /// Records the held answers that are lost because the server ends.
    pub(crate) fn cut(&self, telemetry: &Recorder<'_>) {
        for (_, Slot { echo_socket, .. }) in &self.slots {
            let answers = echo_socket.held();
            if answers > 0 {
                let policy = &echo_socket.policy;
                let event = DatagramEvent::Held { address: &policy.address, answers };
                let counters = policy.counters.worker(telemetry.worker());
                telemetry.record_datagram(event, counters, Some(Suppressed::default()));
            }
        }
    }

    /// Handles a timer of the socket with this entry of `ready`.
    pub(crate) fn expire(&mut self, entry: usize, at: Instant, ready: &mut Vec<usize>) {
        let key = mirrored(entry);
        if let Some(slot) = self.slots.get_mut(key)
            && slot.armed.take_if(|armed| *armed == at).is_some()
        {
            queue(slot, key, ready);
        }
    }

    /// Returns whether a timer of the socket with this entry of `ready` is not stale.
    pub(crate) fn is_armed(&self, entry: usize, at: Instant) -> bool {
        self.slots.get(mirrored(entry)).is_some_and(|slot| slot.armed == Some(at))
    }

    /// Gives a turn to the socket of this entry of `ready`, if it is still open. Returns the time for which the socket needs a
    /// new timer.
    pub(crate) fn give_turn(
        &mut self,
        entry: usize,
        context: &mut TurnContext<'_>,
        registry: &Registry,
        ready: &mut Vec<usize>,
    ) -> Option<Instant> {
        let key = mirrored(entry);
        let slot = self.slots.get_mut(key)?;
        slot.queued = false;
        let new = || Box::new(Buffers { batch: Batch::new(), headers: Headers::default() });
        let Buffers { batch, headers } = &mut **self.buffers.get_or_insert_with(new);
        let TurnContext { telemetry, now, .. } = *context;
        let (limit, own_ports) = (limits::TURN_DATAGRAMS, &self.own_ports[..]);
        let mut context = UdpTurnContext { batch, headers, limit, own_ports, telemetry, now };
        let turn = give_turn(&mut slot.echo_socket, &mut context);
        let registered = match turn {
            Turn::Wait => update_interest(slot, Token(entry), registry),
            Turn::Again => {
                queue(slot, key, ready);
                Ok(())
            }
            Turn::Over => {
                self.remove(key);
                return None;
            }
        };
        if let Err(error) = registered {
            telemetry.registration_failed(&slot.echo_socket.policy.address, &error);
            self.remove(key);
            return None;
        }
        new_timer(slot)
    }
}

/// Gives a turn to a socket. A bug that a datagram triggers costs that datagram, which was removed from the socket. After a
/// panic, those that were received with it are answered one by one, so that another panic also costs one datagram.
fn give_turn(echo_socket: &mut UdpEchoSocket, context: &mut UdpTurnContext<'_>) -> Turn {
    if let Ok(turn) = catch_unwind(AssertUnwindSafe(|| echo_socket.turn(context))) {
        return turn;
    }
    let (mut panics, most) = (0, echo_socket.left(context));
    while panics < most && catch_unwind(AssertUnwindSafe(|| echo_socket.resume(context))).is_err() {
        panics += 1;
    }
    context.batch.clear();
    let policy = &echo_socket.policy;
    let counters = policy.counters.worker(context.telemetry.worker());
    for _ in 0..panics.max(1) {
        let event = DatagramEvent::Panicked { address: &policy.address };
        context.telemetry.record_datagram(event, counters, Some(Suppressed::default()));
    }
    Turn::Again
}

/// Returns the deadline of the socket, if no timer is armed for it or an earlier time.
fn new_timer(slot: &mut Slot) -> Option<Instant> {
    let deadline = slot.echo_socket.deadline()?;
    let is_new = slot.armed.is_none_or(|armed| deadline < armed);
    is_new.then(|| *slot.armed.insert(deadline))
}

fn queue(slot: &mut Slot, key: usize, ready: &mut Vec<usize>) {
    if !std::mem::replace(&mut slot.queued, true) {
        ready.push(mirrored(key));
    }
}

/// Registers the present interest of a socket with the poll.
fn update_interest(slot: &mut Slot, token: Token, registry: &Registry) -> io::Result<()> {
    let wants_write = slot.echo_socket.wants_write();
    if slot.watches_write == wants_write {
        return Ok(());
    }
    slot.watches_write = wants_write;
    let interest =
        if wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    registry.reregister(slot.echo_socket.socket.source(), token, interest)
}
