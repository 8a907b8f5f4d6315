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

use crate::load::payload::{BLOCK, NAME, Streams};

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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const SOCKETS: u64 = 10;

    /// Of socket 3; each datagram was sent, and counts, a second after the one before.
    struct Sending {
        streams: Streams,
        conversation: Conversation,
        wire: Vec<Vec<u8>>,
    }

    impl Sending {
        fn new(count: u32, size: u32) -> Self {
            let streams = Streams::new(7, size..=size);
            let mut conversation = Conversation::new(3, SOCKETS);
            let mut wire = Vec::new();
            for number in 0..count {
                let mut buffer = vec![0; size as usize];
                let len = conversation.next(&streams, &mut buffer);
                wire.push(buffer[..len].to_vec());
                conversation.sent(SECOND * number, SECOND * number);
            }
            Self { streams, conversation, wire }
        }

        fn receive(&mut self, bytes: &[u8]) -> Came {
            self.conversation.receive(&self.streams, bytes, &mut [0; 1024])
        }

        /// The datagram with this number comes, as it was sent.
        fn comes(&mut self, number: usize) -> Came {
            self.receive(&self.wire[number].clone())
        }

        fn give_up(&mut self, before: u32) -> Vec<Duration> {
            let mut lost = Vec::new();
            self.conversation.give_up(SECOND * before, |since| lost.push(since));
            lost
        }
    }

    fn back(second: u32) -> Back {
        Back { since: SECOND * second, is_late: false, is_reordered: false }
    }

    #[test]
    fn what_comes_in_order_is_back() {
        let mut sending = Sending::new(3, 64);
        for number in 0..3 {
            assert_eq!(sending.comes(number as usize), Came::Back(back(number)));
        }
        assert_eq!((sending.conversation.under_way(), sending.conversation.all_sent()), (0, 3));
        assert!(sending.conversation.window.is_empty());
    }

    /// The example of RFC 4737, section 3.2: of 1 2 3 7 8 9 10 4 5 6 the last three are reordered.
    #[test]
    fn what_comes_behind_a_higher_number_is_reordered() {
        let mut sending = Sending::new(10, 64);
        let order = [0, 1, 2, 6, 7, 8, 9, 3, 4, 5];
        let reordered = order.map(|number| match sending.comes(number) {
            Came::Back(back) => back.is_reordered,
            other => panic!("{other:?}"),
        });
        assert_eq!(reordered, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1].map(|one| one == 1));
    }

    #[test]
    fn what_comes_again_is_a_duplicate() {
        let mut sending = Sending::new(3, 64);
        sending.comes(0);
        sending.comes(2);
        // Behind the window, and in it.
        assert_eq!((sending.comes(0), sending.comes(2)), (Came::Duplicate, Came::Duplicate));
        assert_eq!(sending.conversation.under_way(), 1);
        assert_eq!(sending.comes(1), Came::Back(Back { is_reordered: true, ..back(1) }));
    }

    #[test]
    fn what_does_not_come_in_time_is_lost_and_makes_room() {
        let mut sending = Sending::new(5, 64);
        sending.comes(1);
        assert_eq!(sending.give_up(3), [Duration::ZERO, 2 * SECOND]);
        assert_eq!(sending.conversation.under_way(), 2);
        assert_eq!(sending.give_up(3), []);
        assert_eq!(sending.comes(3), Came::Back(back(3)));
    }

    #[test]
    fn what_was_lost_and_comes_is_late_and_then_a_duplicate() {
        let mut sending = Sending::new(5, 64);
        sending.comes(1);
        sending.give_up(4);
        let late = Back { is_late: true, ..back(2) };
        assert_eq!(sending.comes(2), Came::Back(late));
        assert_eq!(
            sending.comes(0),
            Came::Back(Back { is_reordered: true, is_late: true, ..back(0) })
        );
        assert_eq!((sending.comes(2), sending.comes(1)), (Came::Duplicate, Came::Duplicate));
        assert_eq!(sending.conversation.under_way(), 1);
    }

    #[test]
    fn a_wrong_byte_is_corrupt_wherever_it_is_and_the_datagram_is_not_back() {
        for size in [16, 20, 64, 100] {
            let mut sending = Sending::new(3, size);
            for at in 0..size as usize {
                let mut wrong = sending.wire[1].clone();
                wrong[at] ^= 0x80;
                let came = sending.receive(&wrong);
                assert_eq!(
                    came,
                    Came::Corrupt(Which { connection: 3, number: 1 }),
                    "{at} of {size}"
                );
            }
            assert_eq!(sending.conversation.under_way(), 3);
            assert_eq!(sending.comes(1), Came::Back(back(1)));
        }
    }

    #[test]
    fn a_datagram_that_is_cut_or_longer_is_corrupt() {
        let mut sending = Sending::new(3, 64);
        let whole = sending.wire[1].clone();
        let which = Which { connection: 3, number: 1 };
        for len in 4..64 {
            assert_eq!(sending.receive(&whole[..len]), Came::Corrupt(which), "{len}");
        }
        assert_eq!(sending.receive(&[&whole[..], b"!"].concat()), Came::Corrupt(which));
    }

    #[test]
    fn what_this_socket_has_not_sent_is_corrupt() {
        let mut sending = Sending::new(3, 64);
        let mut other = [0; 64];
        for which in [Which { connection: 4, number: 1 }, Which { connection: 3, number: 3 }] {
            sending.streams.datagram(which.connection, which.number, &mut other);
            assert_eq!(sending.receive(&other), Came::Corrupt(which));
        }
    }

    #[test]
    fn what_is_not_of_this_run_is_a_stranger() {
        let mut sending = Sending::new(3, 64);
        let mut other = [0; 64];
        Streams::new(8, 64..=64).datagram(3, 1, &mut other);
        let hello = b"\x1b[2JServer is full\r\n";
        let mut another = [0; 64];
        sending.streams.datagram(SOCKETS, 1, &mut another);
        for stranger in [&b""[..], b"z", hello, &other, &another, &[0; 1024]] {
            assert_eq!(sending.receive(stranger), Came::Stranger, "{stranger:?}");
        }
        assert_eq!(sending.conversation.under_way(), 3);
    }

    #[test]
    fn what_was_lost_long_ago_is_forgotten() {
        let count = u32::try_from(REMEMBERED).unwrap() + 1;
        let mut sending = Sending::new(count, 16);
        assert_eq!(sending.give_up(u32::MAX).len(), REMEMBERED + 1);
        assert_eq!(sending.comes(0), Came::Duplicate);
        assert!(matches!(sending.comes(1), Came::Back(Back { is_late: true, .. })));
    }

    proptest! {
        /// Whatever a network does, every datagram is counted once.
        #[test]
        fn what_was_sent_is_back_or_lost_or_under_way(
            steps in proptest::collection::vec((0_usize..40, 0_u32..60), 0..200)
        ) {
            let mut sending = Sending::new(40, 32);
            let (mut back, mut lost) = (0, 0);
            for (number, before) in steps {
                match sending.comes(number) {
                    Came::Back(came) => {
                        back += 1;
                        lost -= usize::from(came.is_late);
                    }
                    Came::Duplicate => {}
                    other => prop_assert!(false, "{:?}", other),
                }
                // Most of the time nothing is given up.
                if before < 42 && before % 7 == 0 {
                    lost += sending.give_up(before).len();
                }
                let under_way = usize::try_from(sending.conversation.under_way()).unwrap();
                prop_assert_eq!(back + lost + under_way, 40);
            }
        }
    }
}
