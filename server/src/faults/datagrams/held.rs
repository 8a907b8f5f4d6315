//! Answers that wait for their time, in the order of their times.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use bytes::Bytes;

/// An answer that is to be sent now.
#[derive(Clone, Debug)]
pub(crate) struct Answer<R> {
    pub(crate) bytes: Bytes,
    pub(crate) route: R,
}

/// The place of an answer: its time, and its number among those of the same time.
pub(super) type Place = (Instant, u64);

/// An answer that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting<R> {
    pub(super) answer: Answer<R>,
    /// Length of the datagram that it answers.
    pub(super) len: usize,
    pub(super) source: SocketAddr,
    /// Number of datagrams of the source before this one.
    pub(super) number: u64,
    /// How many times it is sent.
    pub(super) copies: u32,
    /// The throttle of its source has accepted it.
    pub(super) has_passed: bool,
    /// It waits for the next answer to its source. The time at which it is sent is not before this one.
    pub(super) not_before: Option<Instant>,
}

/// The answers that wait.
#[derive(Debug)]
pub(super) struct Held<R> {
    queue: BTreeMap<Place, Waiting<R>>,
    bytes: usize,
    next: u64,
}

impl<R> Default for Held<R> {
    fn default() -> Self {
        Self { queue: BTreeMap::new(), bytes: 0, next: 0 }
    }
}

impl<R> Held<R> {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns the number of bytes in all answers. Copies share theirs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the time of the first answer.
    pub(super) fn first(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Adds an answer, behind all others of the same time.
    pub(super) fn add(&mut self, at: Instant, waiting: Waiting<R>) -> Place {
        let place = (at, self.next);
        self.next += 1;
        self.put_back(place, waiting);
        place
    }

    /// Adds an answer at a place from which it was removed.
    pub(super) fn put_back(&mut self, place: Place, waiting: Waiting<R>) {
        self.bytes += waiting.answer.bytes.len();
        self.queue.insert(place, waiting);
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Waiting<R>> {
        let waiting = self.queue.remove(&place)?;
        self.bytes -= waiting.answer.bytes.len();
        Some(waiting)
    }

    /// Removes the first answer, if its time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Place, Waiting<R>)> {
        let place = *self.queue.first_key_value()?.0;
        if place.0 > now {
            return None;
        }
        self.remove(place).map(|waiting| (place, waiting))
    }

    /// Moves all answers to this time, in their order, past every throttle.
    pub(super) fn release(&mut self, now: Instant) {
        self.bytes = 0;
        for (_, mut waiting) in std::mem::take(&mut self.queue) {
            waiting.has_passed = true;
            waiting.not_before = None;
            self.add(now, waiting);
        }
    }
}
