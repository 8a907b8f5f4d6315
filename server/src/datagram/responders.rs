//! The UDP sockets of one worker, among the tokens of its poll and the keys of who is to have a turn.
//!
//! Connections have the tokens from zero on; these count down from below that of the waker.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use mio::{Interest, Registry, Token};
use slab::Slab;

use super::{Mailboxes, responder::Responder};
use crate::{
    connection::{Room, Turn},
    journal::Journal,
    shared::WAKE,
};

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Responders {
    slots: Slab<Slot>,
    /// Where the server listens.
    ports: Box<[u16]>,
    /// How much of the mailbox has been seen.
    seen: usize,
    leaving: bool,
}

#[derive(Debug)]
struct Slot {
    responder: Responder,
    /// It is among those who are to have a turn.
    queued: bool,
    /// The poll has been asked to say when the socket takes datagrams again: only while one waits for
    /// that, for every one that is sent makes room, and would be an event.
    watches_write: bool,
}

/// The key of a token, and back: it is the same.
fn mirrored(key: usize) -> usize {
    WAKE.0 - 1 - key
}

impl Responders {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes what has been posted to the worker at `seat`. Adds to `ready` who is to have a turn now.
    pub(crate) fn collect(
        &mut self,
        mailboxes: &Mailboxes,
        seat: usize,
        registry: &Registry,
        journal: &Journal<'_>,
        ready: &mut Vec<usize>,
    ) {
        let Some((responders, ports)) = mailboxes.collect(seat, &mut self.seen) else {
            return;
        };
        self.ports = ports;
        for responder in responders {
            let key = self.slots.insert(Slot { responder, queued: false, watches_write: false });
            let Responder { socket, rules, .. } = &mut self.slots[key].responder;
            let token = Token(mirrored(key));
            if let Err(error) = registry.register(socket.source(), token, Interest::READABLE) {
                journal.not_registered(&rules.address, &error);
                self.slots.remove(key);
            }
        }
        self.dismiss(ready);
    }

    /// Has all sockets closed when what has been received is answered, and those that may still come.
    pub(crate) fn leave(&mut self, ready: &mut Vec<usize>) {
        self.leaving = true;
        self.dismiss(ready);
    }

    fn dismiss(&mut self, ready: &mut Vec<usize>) {
        for (key, slot) in &mut self.slots {
            if self.leaving || slot.responder.rules.is_withdrawn() {
                slot.responder.leave();
                queue(slot, key, ready);
            }
        }
    }

    /// An event has come that is not of a connection. Whatever it says, the socket has a turn.
    pub(crate) fn note(&mut self, token: Token, ready: &mut Vec<usize>) {
        let key = mirrored(token.0);
        if let Some(slot) = self.slots.get_mut(key) {
            queue(slot, key, ready);
        }
    }

    /// Gives the socket of this entry of `ready` its turn, if it is there.
    pub(crate) fn give_turn(
        &mut self,
        entry: usize,
        room: &mut Room<'_>,
        registry: &Registry,
        ready: &mut Vec<usize>,
    ) {
        let key = mirrored(entry);
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        slot.queued = false;
        // A bug that a datagram has found costs that datagram, which has been taken out of the socket.
        let turn = catch_unwind(AssertUnwindSafe(|| slot.responder.turn(room, &self.ports)));
        let turn = turn.unwrap_or_else(|_| {
            room.journal.datagram_panicked(&slot.responder.rules.address);
            Turn::Again
        });
        let settled = match turn {
            Turn::Wait => settle(slot, Token(entry), registry),
            Turn::Again => {
                queue(slot, key, ready);
                Ok(())
            }
            Turn::Over => {
                self.slots.remove(key);
                return;
            }
        };
        if let Err(error) = settled {
            room.journal.not_registered(&slot.responder.rules.address, &error);
            self.slots.remove(key);
        }
    }
}

fn queue(slot: &mut Slot, key: usize, ready: &mut Vec<usize>) {
    if !std::mem::replace(&mut slot.queued, true) {
        ready.push(mirrored(key));
    }
}

/// Asks the poll for what is of interest now.
fn settle(slot: &mut Slot, token: Token, registry: &Registry) -> io::Result<()> {
    let wants_write = slot.responder.wants_write();
    if slot.watches_write == wants_write {
        return Ok(());
    }
    slot.watches_write = wants_write;
    let interest =
        if wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
    registry.reregister(slot.responder.socket.source(), token, interest)
}
