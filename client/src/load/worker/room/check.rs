//! Check of the events that one member receives: which are missing, duplicate or out of order.
//!
//! An event has the number of its room; a message of the load also has its sender and a counter. A member has to receive
//! every number after its welcome once and in order, except those of which a gap tells that they are lost, and the
//! counters of each sender likewise. A late number takes back its absence. Must not know sockets, a clock, or the form
//! of an event.

use std::collections::BTreeMap;

use super::absent::Absent;

/// Check of one member.
#[derive(Debug)]
pub(super) struct Check {
    /// Number after the highest one that has arrived or was told to be lost.
    next: u64,
    /// Counter after the highest one of each sender that has arrived.
    senders: Box<[u64]>,
    /// Numbers below `next` that have not arrived, without being told.
    absent: Absent,
    /// How many they are.
    silent: u64,
    /// Counters of each sender that have not arrived.
    absent_counters: BTreeMap<u32, Absent>,
    /// How many they are.
    absent_count: u64,
    /// Messages that are not missing although none has arrived: those of announced gaps, and texts that name no sender.
    explained: u64,
}

/// Message of the load: its sender, and its number among the messages of this sender, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageId {
    pub(super) sender: u32,
    pub(super) counter: u64,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Message of the load.
    Sent(MessageId),
    /// Message with a wrong text, which does not name a sender.
    Damaged,
    /// Messages of another server were lost: how many.
    RelayGap(u64),
    /// Any other event, such as a message of somebody else.
    Other,
}

/// Event that is not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// Numbers were skipped.
    Skipped { first: u64, count: u64 },
    /// A number arrived again.
    Duplicate { number: u64 },
    /// A number arrived after a higher one.
    OutOfOrder { number: u64 },
    /// Messages of a sender have no number, although a later one has.
    Unnumbered { sender: u32, first: u64, count: u64 },
    /// A message arrived again with another number.
    Repeated { number: u64, id: MessageId },
    /// A message has a higher number than a later one of its sender.
    OvertakenBySender { number: u64, id: MessageId },
    /// A gap tells that events are lost that have arrived.
    FalseGap { first: u64, count: u64 },
}

impl Check {
    /// Creates the check of a member that joins after event `number`, in a room with this many senders.
    pub(super) fn new(number: u64, senders: u32) -> Self {
        Self {
            next: number.saturating_add(1),
            senders: vec![0; senders as usize].into(),
            absent: Absent::default(),
            silent: 0,
            absent_counters: BTreeMap::new(),
            absent_count: 0,
            explained: 0,
        }
    }

    /// Returns the number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Checks an event; returns `true` if it arrives for the first time.
    #[inline]
    pub(super) fn receive(
        &mut self,
        number: u64,
        content: Content,
        report: &mut impl FnMut(Violation),
    ) -> bool {
        if number == self.next
            && let Content::Sent(MessageId { sender, counter }) = content
            && let Some(next) = self.senders.get_mut(sender as usize)
            && *next == counter
        {
            self.next += 1;
            *next += 1;
            return true;
        }
        self.receive_other(number, content, report)
    }

    fn receive_other(
        &mut self,
        number: u64,
        content: Content,
        report: &mut impl FnMut(Violation),
    ) -> bool {
        let is_late = number < self.next;
        if is_late {
            if !self.absent.remove(number) {
                report(Violation::Duplicate { number });
                return false;
            }
            self.silent -= 1;
            report(Violation::OutOfOrder { number });
        } else {
            self.skip_to(number, report);
            self.next = number.saturating_add(1);
        }
        match content {
            Content::Sent(id) => self.receive_counter(number, id, is_late, report),
            Content::Damaged => {
                self.explained += 1;
                true
            }
            Content::RelayGap(count) => {
                self.explained = self.explained.saturating_add(count);
                true
            }
            Content::Other => true,
        }
    }

    /// Handles a gap that tells that events are lost; returns how many it adds to those that were told before.
    pub(super) fn receive_gap(
        &mut self,
        first: u64,
        count: u64,
        report: &mut impl FnMut(Violation),
    ) -> u64 {
        let end = first.saturating_add(count);
        let mut told = 0;
        if first < self.next {
            let before = end.min(self.next);
            told = self.absent.remove_all(first..before);
            self.silent -= told;
            let arrived = before - first - told;
            if arrived > 0 {
                report(Violation::FalseGap { first, count: arrived });
            }
        } else {
            self.skip_to(first, report);
        }
        told += end.saturating_sub(self.next);
        self.next = self.next.max(end);
        self.explained = self.explained.saturating_add(told);
        told
    }

    /// Ends the check: the room has events up to `last`, and each sender has sent as many messages as `counts` has.
    pub(super) fn finish(
        &mut self,
        last: u64,
        counts: impl IntoIterator<Item = u64>,
        report: &mut impl FnMut(Violation),
    ) {
        self.skip_to(last.saturating_add(1), report);
        for (next, count) in self.senders.iter_mut().zip(counts) {
            self.absent_count = self.absent_count.saturating_add(count.saturating_sub(*next));
            *next = count.max(*next);
        }
    }

    /// Returns how many events are missing without being told, and how many messages have no number although the server
    /// must have received them.
    pub(super) fn missing(&self) -> u64 {
        let known = self.silent.saturating_add(self.explained);
        self.silent.saturating_add(self.absent_count.saturating_sub(known))
    }

    /// Marks the numbers before `number` as missing.
    fn skip_to(&mut self, number: u64, report: &mut impl FnMut(Violation)) {
        let first = self.next;
        if first < number {
            self.absent.push(first..number);
            self.silent = self.silent.saturating_add(number - first);
            self.next = number;
            report(Violation::Skipped { first, count: number - first });
        }
    }

    /// Checks the counter of a message; returns `true` if the message arrives for the first time.
    fn receive_counter(
        &mut self,
        number: u64,
        id: MessageId,
        is_late: bool,
        report: &mut impl FnMut(Violation),
    ) -> bool {
        let MessageId { sender, counter } = id;
        // A text that names no sender of this room is damaged.
        let Some(next) = self.senders.get_mut(sender as usize) else { return false };
        if counter >= *next {
            let first = std::mem::replace(next, counter.saturating_add(1));
            if first < counter {
                self.absent_counters.entry(sender).or_default().push(first..counter);
                let known = self.silent.saturating_add(self.explained);
                self.absent_count = self.absent_count.saturating_add(counter - first);
                if self.absent_count > known {
                    report(Violation::Unnumbered { sender, first, count: counter - first });
                }
            }
            return true;
        }
        if self.absent_counters.get_mut(&sender).is_some_and(|absent| absent.remove(counter)) {
            self.absent_count -= 1;
            if !is_late {
                report(Violation::OvertakenBySender { number, id });
            }
            return true;
        }
        report(Violation::Repeated { number, id });
        false
    }
}

#[cfg(test)]
mod tests;
