//! What the members of a process share: the messages that arrived last, and the end of the run.
//!
//! A message has the same bytes at every member. It is parsed and checked once, and compared at the others, which also
//! shows that all members see one order.

use std::{collections::HashMap, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use super::{
    check::{Content, MessageId},
    text::{Fields, Kind, Parsed, Texts},
};

/// Number of messages that are kept to be compared: more than what the buffers of a slow member hold.
const KEPT: usize = 1 << 12;

/// State that the members of a process share.
#[derive(Debug)]
pub(in crate::load::worker) struct Shared {
    pub(super) texts: Texts,
    /// Time of the monotonic clock at the start of the run.
    epoch_ns: Option<u64>,
    kept: Vec<Kept>,
    /// Name of each sender that has been seen.
    names: HashMap<u32, Box<[u8]>>,
    /// Last message of each sender that has ended: its event, and the number of messages of the sender.
    ends: Vec<Option<(u64, u64)>>,
    /// Number of senders that have not ended.
    running: usize,
    /// Time at which an event last arrived.
    pub(super) last_event: Duration,
}

/// Message that has been checked.
#[derive(Debug, Default)]
struct Kept {
    /// Number of its event; 0 if there is none.
    number: u64,
    name_len: usize,
    /// Name and text.
    bytes: Vec<u8>,
    message: Option<Fields>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// Message of the run.
    Right(Fields),
    /// Message of the run whose number another message has at another member.
    Differs(Fields),
    /// Message of the run with a wrong text or a wrong name; it may tell which message it was.
    Wrong(Option<MessageId>),
    /// Message of somebody else.
    Foreign,
}

impl Shared {
    /// Creates the state of a run with this seed.
    pub(super) fn new(seed: u64, senders: u32) -> Self {
        Self {
            texts: Texts::new(seed, senders),
            epoch_ns: None,
            kept: (0..KEPT).map(|_| Kept::default()).collect(),
            names: HashMap::new(),
            ends: vec![None; senders as usize],
            running: senders as usize,
            last_event: Duration::ZERO,
        }
    }

    /// Returns the time of the monotonic clock, which all processes of a machine share, for a time of the run. `now` is the
    /// present time of the run.
    pub(super) fn clock_ns(&mut self, time: Duration, now: Duration) -> u64 {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let epoch = self.epoch_ns.get_or_insert_with(|| {
            let clock = clock_gettime(ClockId::Monotonic);
            let clock = Duration::try_from(clock).unwrap_or_default();
            nanos(clock.saturating_sub(now))
        });
        epoch.saturating_add(nanos(time))
    }

    /// Checks a message.
    #[inline]
    pub(super) fn check(&mut self, number: u64, name: &[u8], text: &[u8]) -> Message {
        let kept = &self.kept[slot(number)];
        if kept.number == number
            && let Some(fields) = kept.message
            && kept.bytes.split_at(kept.name_len) == (name, text)
        {
            return Message::Right(fields);
        }
        self.parse(number, name, text)
    }

    fn parse(&mut self, number: u64, name: &[u8], text: &[u8]) -> Message {
        let fields = match self.texts.parse(text) {
            Parsed::Right(fields) => fields,
            Parsed::Damaged(fields) => return Message::Wrong(Some(fields.id)),
            Parsed::Unknown => {
                let is_sender = self.names.values().any(|known| **known == *name);
                return if is_sender { Message::Wrong(None) } else { Message::Foreign };
            }
        };
        let known = self.names.entry(fields.id.sender).or_insert_with(|| name.into());
        if **known != *name {
            return Message::Wrong(Some(fields.id));
        }
        let kept = &mut self.kept[slot(number)];
        if kept.number == number && kept.message.is_some() {
            return Message::Differs(fields);
        }
        if kept.number <= number {
            (kept.number, kept.message) = (number, Some(fields));
            kept.name_len = name.len();
            kept.bytes.clear();
            kept.bytes.extend_from_slice(name);
            kept.bytes.extend_from_slice(text);
        }
        if fields.kind == Kind::End {
            self.mark_end(number, fields.id);
        }
        Message::Right(fields)
    }

    fn mark_end(&mut self, number: u64, id: MessageId) {
        let end = &mut self.ends[id.sender as usize];
        if end.replace((number, id.counter.saturating_add(1))).is_none() {
            self.running -= 1;
        }
    }

    /// Does not expect the end of a sender whose connection has failed. Members of other processes wait for it in vain.
    pub(super) fn abandon(&mut self, sender: u32) {
        let end = &mut self.ends[sender as usize];
        if end.is_none() {
            *end = Some((0, 0));
            self.running -= 1;
        }
    }

    /// Returns the number of the last event that members have to receive, if every sender has ended.
    pub(super) fn last_number(&self) -> Option<u64> {
        if self.running > 0 {
            return None;
        }
        self.ends.iter().flatten().map(|(number, _)| *number).max()
    }

    /// Returns how many messages each sender has sent.
    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.ends.iter().map(|end| end.map_or(0, |(_, count)| count))
    }
}

impl Message {
    /// Returns what the event is for the check of a member.
    #[inline]
    pub(super) fn content(self) -> Content {
        match self {
            Self::Right(fields) | Self::Differs(fields) => Content::Sent(fields.id),
            Self::Wrong(Some(id)) => Content::Sent(id),
            Self::Wrong(None) => Content::Damaged,
            Self::Foreign => Content::Other,
        }
    }
}

fn slot(number: u64) -> usize {
    usize::try_from(number % KEPT as u64).expect("less than a constant")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(shared: &Shared, sender: u32, counter: u64, kind: Kind) -> (Fields, Vec<u8>) {
        let fields = Fields { kind, id: MessageId { sender, counter }, time_ns: 5 };
        let mut text = Vec::new();
        shared.texts.write(&fields, 100, &mut text);
        (fields, text)
    }

    #[test]
    fn finds_a_text_that_one_member_receives_with_other_bytes() {
        let mut shared = Shared::new(1, 2);
        let (fields, text) = text(&shared, 0, 0, Kind::Measured);
        for _ in 0..2 {
            assert_eq!(shared.check(7, b"ann", &text), Message::Right(fields));
        }
        let mut damaged = text.clone();
        damaged[99] ^= 1;
        assert_eq!(shared.check(7, b"ann", &damaged), Message::Wrong(Some(fields.id)));
        damaged[3] = b'!';
        assert_eq!(shared.check(7, b"ann", &damaged), Message::Wrong(None));
        assert_eq!(shared.check(8, b"somebody", &damaged), Message::Foreign);
        assert_eq!(shared.check(7, b"bob", &text), Message::Wrong(Some(fields.id)));
    }

    #[test]
    fn finds_a_number_that_two_messages_have() {
        let mut shared = Shared::new(1, 2);
        let (first, other) =
            (text(&shared, 0, 0, Kind::Measured), text(&shared, 1, 0, Kind::Measured));
        assert_eq!(shared.check(7, b"ann", &first.1), Message::Right(first.0));
        assert_eq!(shared.check(7, b"bob", &other.1), Message::Differs(other.0));
    }

    /// A member that is far behind must not replace what the others compare.
    #[test]
    fn an_old_message_does_not_replace_a_new_one() {
        let mut shared = Shared::new(1, 1);
        let (old, new) = (text(&shared, 0, 0, Kind::Measured), text(&shared, 0, 9, Kind::Measured));
        let later = 1 + KEPT as u64;
        assert_eq!(shared.check(later, b"ann", &new.1), Message::Right(new.0));
        assert_eq!(shared.check(1, b"ann", &old.1), Message::Right(old.0));
        assert_eq!(shared.check(later, b"ann", &new.1), Message::Right(new.0));
    }

    #[test]
    fn the_end_is_the_last_one_of_all_senders() {
        let mut shared = Shared::new(1, 2);
        let (one, other) = (text(&shared, 0, 4, Kind::End), text(&shared, 1, 8, Kind::End));
        shared.check(20, b"ann", &one.1);
        assert_eq!(shared.last_number(), None);
        shared.check(17, b"bob", &other.1);
        assert_eq!(shared.last_number(), Some(20));
        assert_eq!(shared.counts().collect::<Vec<_>>(), [5, 9]);
    }

    #[test]
    fn a_sender_that_fails_has_no_end() {
        let mut shared = Shared::new(1, 2);
        let (_, end) = text(&shared, 0, 4, Kind::End);
        shared.check(20, b"ann", &end);
        (0..2).for_each(|_| shared.abandon(1));
        shared.abandon(0);
        assert_eq!(shared.last_number(), Some(20));
        assert_eq!(shared.counts().collect::<Vec<_>>(), [5, 0]);
    }
}
