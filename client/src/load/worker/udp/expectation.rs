//! One socket's side of a load over datagrams: which have been sent, and what each that comes is.
//!
//! A datagram's bytes say whose it is and which, and are made again when it comes back, so that of those
//! under way nothing is kept but when they were sent. Of those that were lost is kept that they were:
//! one that comes all the same is late, and anything else that had come before is a duplicate.
//!
//! It knows no clock and no socket; times are given to it, as they pass since the start.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::load::worker::payload::{BLOCK, NAME, Streams};

/// Lost datagrams that one socket remembers. One that was forgotten and comes in the end is taken for a
/// duplicate.
const REMEMBERED: usize = 65_536;

/// Datagrams under way with which one that cannot be read is compared.
const COMPARED: usize = 64;

/// Bytes of each that are compared.
const COMPARED_BYTES: usize = 64;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Conversation {
    connection: u64,
    /// How many sockets the run has.
    connections: u64,
    /// The number of the datagram that is sent next; the first is 0.
    next: u64,
    /// One more than the highest number that has come back.
    expected: u64,
    /// All that were sent, from the oldest that is under way on.
    window: VecDeque<Sent>,
    /// How many in the window have not come back.
    under_way: u64,
    /// From when those count that were lost, by number; the last of them.
    lost: BTreeMap<u64, Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    /// From when it counts.
    since: Duration,
    /// When it was given to the socket.
    at: Duration,
    is_back: bool,
}

/// What a datagram is that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// One that was sent, every byte as it was sent, for the first time.
    Back(Back),
    /// One that had come before.
    Duplicate,
    /// One of this run, in which bytes are wrong, or which this socket had not sent.
    Corrupt(Which),
    /// One in which nothing of this run can be recognised.
    Stranger,
}

/// A datagram that has come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Back {
    /// From when it counts.
    pub since: Duration,
    /// It had been counted as lost.
    pub is_late: bool,
    /// One with a higher number had come before (Type-P-Reordered of RFC 4737, section 3.2).
    pub is_reordered: bool,
}

/// The name of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// The number in the run of the socket that sends it.
    pub connection: u64,
    /// Its number among that socket's.
    pub number: u64,
}

impl Conversation {
    /// Of the socket with this number, in a run that has so many; nothing has been sent.
    #[must_use]
    pub fn new(connection: u64, connections: u64) -> Self {
        Self {
            connection,
            connections,
            next: 0,
            expected: 0,
            window: VecDeque::new(),
            under_way: 0,
            lost: BTreeMap::new(),
        }
    }

    /// Writes the next datagram to the beginning of `buffer`; says how long it is.
    pub fn next(&self, streams: &Streams, buffer: &mut [u8]) -> usize {
        streams.datagram(self.connection, self.next, buffer)
    }

    /// The socket has taken the next datagram, which counts from `since`, now.
    pub fn sent(&mut self, since: Duration, now: Duration) {
        self.next += 1;
        self.under_way += 1;
        self.window.push_back(Sent { since, at: now, is_back: false });
    }

    /// Says what a datagram is. `scratch` is at least as long as the longest one.
    pub fn receive(&mut self, streams: &Streams, received: &[u8], scratch: &mut [u8]) -> Came {
        let name = received.first_chunk().and_then(|name| streams.identify_datagram(name));
        match name.map(|(connection, number)| Which { connection, number }) {
            Some(which) if which.connection == self.connection && which.number < self.next => {
                let len = streams.datagram(which.connection, which.number, scratch);
                if scratch[..len] == *received {
                    self.settle(which.number)
                } else {
                    Came::Corrupt(which)
                }
            }
            Some(which) if which.connection < self.connections => Came::Corrupt(which),
            _ => self.recognise(streams, received, scratch).map_or(Came::Stranger, Came::Corrupt),
        }
    }

    /// Counts those as lost that were sent before this time and have not come back: calls `lost` with the
    /// time from which each counts.
    pub fn give_up(&mut self, before: Duration, mut lost: impl FnMut(Duration)) {
        while let Some(first) = self.window.front() {
            if !first.is_back {
                if first.at >= before {
                    return;
                }
                lost(first.since);
                self.under_way -= 1;
                self.lost.insert(self.first(), first.since);
                if self.lost.len() > REMEMBERED {
                    self.lost.pop_first();
                }
            }
            self.window.pop_front();
        }
    }

    /// Datagrams that have been sent and have neither come back nor been given up.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.under_way
    }

    /// Datagrams that have been sent.
    #[must_use]
    pub fn all_sent(&self) -> u64 {
        self.next
    }

    /// The number of the first in the window.
    fn first(&self) -> u64 {
        self.next - self.window.len() as u64
    }

    /// One that was sent has come, as it was sent.
    fn settle(&mut self, number: u64) -> Came {
        let at = number.checked_sub(self.first()).and_then(|at| usize::try_from(at).ok());
        let (since, is_late) = if let Some(sent) = at.and_then(|at| self.window.get_mut(at)) {
            if std::mem::replace(&mut sent.is_back, true) {
                return Came::Duplicate;
            }
            self.under_way -= 1;
            (sent.since, false)
        } else if let Some(since) = self.lost.remove(&number) {
            (since, true)
        } else {
            return Came::Duplicate;
        };
        while self.window.front().is_some_and(|first| first.is_back) {
            self.window.pop_front();
        }
        let is_reordered = number < self.expected;
        self.expected = self.expected.max(number + 1);
        Came::Back(Back { since, is_late, is_reordered })
    }

    /// Which one this was before its first bytes were damaged: by the name of a block further behind, or
    /// as it is for the most part one that is under way.
    fn recognise(&self, streams: &Streams, received: &[u8], scratch: &mut [u8]) -> Option<Which> {
        let blocks = received.chunks(BLOCK).skip(1).filter_map(|block| block.first_chunk::<NAME>());
        let mut places = blocks.filter_map(|name| streams.identify(name));
        if let Some(place) = places.find(|place| place.connection < self.connections) {
            let number = streams.datagram_at(place.offset);
            return Some(Which { connection: place.connection, number });
        }
        let head = &received[..received.len().min(COMPARED_BYTES)];
        let under_way = (self.first()..self.next).zip(&self.window).filter(|(_, it)| !it.is_back);
        let mut numbers = under_way.map(|(number, _)| number).take(COMPARED);
        let number = numbers.find(|&number| {
            let len = streams.datagram(self.connection, number, scratch);
            let same = scratch[..len].iter().zip(head).filter(|(one, other)| one == other).count();
            same > 0 && 2 * same >= head.len()
        })?;
        Some(Which { connection: self.connection, number })
    }
}

#[cfg(test)]
mod tests;
