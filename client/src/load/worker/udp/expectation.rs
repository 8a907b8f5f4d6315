//! Expectation of a UDP socket: which datagrams it has sent, and the classification of those that arrive.
//!
//! A datagram names its socket and its number, and its bytes are generated again when it returns, so only
//! the send times of the datagrams in flight are stored. Lost datagrams are remembered: one that still
//! arrives is late, and any other that had returned before is a duplicate. Must not know a clock or a
//! socket; times count from the start of the run.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::load::worker::payload::{
    block::{BLOCK_LEN, NAME_LEN},
    streams::Streams,
};

/// Maximum number of lost datagrams that a socket remembers. A datagram that arrives after it was forgotten
/// counts as a duplicate.
const MAX_REMEMBERED: usize = 65_536;

/// Maximum number of datagrams in flight that are compared with one whose name is damaged.
const MAX_COMPARED: usize = 64;

/// Number of bytes of each that are compared.
const COMPARED_BYTES: usize = 64;

/// Datagrams of one socket.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    connection: u64,
    /// Number of sockets of the run.
    connections: u64,
    /// Number of the datagram that is sent next, from 0.
    next: u64,
    /// Number after the highest that has returned.
    expected: u64,
    /// All datagrams that were sent, from the oldest in flight on.
    window: VecDeque<Sent>,
    /// Number of datagrams in the window that have not returned.
    in_flight: u64,
    /// Last lost datagrams by number, and the time from which each counts.
    lost: BTreeMap<u64, Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Time from which the latency counts.
    since: Duration,
    /// Time at which it was sent.
    time: Duration,
    has_returned: bool,
}

/// Classification of a datagram that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was sent, and returns for the first time with the right bytes.
    Returned(Returned),
    /// It had returned before.
    Duplicate,
    /// It belongs to this run, and has wrong bytes, or was not sent by this socket.
    Corrupt(DatagramId),
    /// It does not belong to this run.
    Unrecognized,
}

/// Datagram that has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Returned {
    /// Time from which its latency counts.
    pub(super) since: Duration,
    /// It had been counted as lost.
    pub(super) is_late: bool,
    /// One with a higher number had returned before (Type-P-Reordered of RFC 4737, section 3.2).
    pub(super) is_reordered: bool,
}

/// Name of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DatagramId {
    /// Number in the run of the socket that sends it.
    pub(super) connection: u64,
    /// Its number among the datagrams of that socket.
    pub(super) number: u64,
}

impl Expectation {
    /// Creates the expectation of a socket, in a run of `connections` sockets.
    pub(super) fn new(connection: u64, connections: u64) -> Self {
        Self {
            connection,
            connections,
            next: 0,
            expected: 0,
            window: VecDeque::new(),
            in_flight: 0,
            lost: BTreeMap::new(),
        }
    }

    /// Writes the datagram that is sent after `ahead` others to the start of `buffer`; returns its length.
    pub(super) fn write(&self, streams: &Streams, ahead: u64, buffer: &mut [u8]) -> usize {
        streams.write_datagram(self.connection, self.next + ahead, buffer)
    }

    /// Marks the next datagram as sent now. Its latency counts from `since`.
    pub(super) fn mark_sent(&mut self, since: Duration, now: Duration) {
        self.next += 1;
        self.in_flight += 1;
        self.window.push_back(Sent { since, time: now, has_returned: false });
    }

    /// Classifies a datagram that has arrived. `scratch` is at least as long as the longest datagram.
    pub(super) fn receive(
        &mut self,
        streams: &Streams,
        received: &[u8],
        scratch: &mut [u8],
    ) -> Arrival {
        let name = received.first_chunk().and_then(|name| streams.identify_datagram(name));
        match name.map(|(connection, number)| DatagramId { connection, number }) {
            Some(id) if id.connection == self.connection && id.number < self.next => {
                let len = streams.write_datagram(id.connection, id.number, scratch);
                if scratch[..len] == *received {
                    self.mark_returned(id.number)
                } else {
                    Arrival::Corrupt(id)
                }
            }
            Some(id) if id.connection < self.connections => Arrival::Corrupt(id),
            _ => self
                .identify_damaged(streams, received, scratch)
                .map_or(Arrival::Unrecognized, Arrival::Corrupt),
        }
    }

    /// Marks the datagrams as lost that were sent before a time and have not returned: calls `on_lost` with
    /// the time from which each counts.
    pub(super) fn give_up(&mut self, before: Duration, mut on_lost: impl FnMut(Duration)) {
        while let Some(first) = self.window.front() {
            if !first.has_returned {
                if first.time >= before {
                    return;
                }
                on_lost(first.since);
                self.in_flight -= 1;
                self.lost.insert(self.first_in_window(), first.since);
                if self.lost.len() > MAX_REMEMBERED {
                    self.lost.pop_first();
                }
            }
            self.window.pop_front();
        }
    }

    /// Returns the number of datagrams that were sent, and have neither returned nor been given up.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Returns the number of datagrams that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.next
    }

    /// Returns the number of the first datagram in the window.
    fn first_in_window(&self) -> u64 {
        self.next - self.window.len() as u64
    }

    fn mark_returned(&mut self, number: u64) -> Arrival {
        let index = number.checked_sub(self.first_in_window());
        let index = index.and_then(|index| usize::try_from(index).ok());
        let (since, is_late) = if let Some(sent) = index.and_then(|at| self.window.get_mut(at)) {
            if std::mem::replace(&mut sent.has_returned, true) {
                return Arrival::Duplicate;
            }
            self.in_flight -= 1;
            (sent.since, false)
        } else if let Some(since) = self.lost.remove(&number) {
            (since, true)
        } else {
            return Arrival::Duplicate;
        };
        while self.window.front().is_some_and(|first| first.has_returned) {
            self.window.pop_front();
        }
        let is_reordered = number < self.expected;
        self.expected = self.expected.max(number + 1);
        Arrival::Returned(Returned { since, is_late, is_reordered })
    }

    /// Identifies a datagram whose name is damaged: by the name of a later block, or by its similarity to
    /// one in flight.
    fn identify_damaged(
        &self,
        streams: &Streams,
        received: &[u8],
        scratch: &mut [u8],
    ) -> Option<DatagramId> {
        let blocks = received.chunks(BLOCK_LEN).skip(1);
        let names = blocks.filter_map(|block| block.first_chunk::<NAME_LEN>());
        let mut positions = names.filter_map(|name| streams.identify(name));
        if let Some(position) = positions.find(|it| it.connection < self.connections) {
            let number = streams.datagram_at(position.offset);
            return Some(DatagramId { connection: position.connection, number });
        }
        let head = &received[..received.len().min(COMPARED_BYTES)];
        let in_flight = (self.first_in_window()..self.next)
            .zip(&self.window)
            .filter(|(_, it)| !it.has_returned);
        let mut numbers = in_flight.map(|(number, _)| number).take(MAX_COMPARED);
        let number = numbers.find(|&number| {
            let len = streams.write_datagram(self.connection, number, scratch);
            let same = scratch[..len].iter().zip(head).filter(|(one, other)| one == other).count();
            same > 0 && 2 * same >= head.len()
        })?;
        Some(DatagramId { connection: self.connection, number })
    }
}

#[cfg(test)]
mod tests;
