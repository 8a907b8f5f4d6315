//! The messages that wait until the socket of a member takes more.

use std::collections::VecDeque;

use bytes::Bytes;
use common::room::Event;

use super::super::event::Form;
use crate::config::{Room, Slow, limits};

/// The messages that wait for a member. Their bytes are shared with the other members.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    entries: VecDeque<Entry>,
    /// Weight of the events.
    bytes: usize,
    /// Events that were dropped, and of which the member has not been told.
    untold: u64,
}

#[derive(Debug)]
enum Entry {
    Event {
        number: u64,
        bytes: Bytes,
    },
    /// Dropped events with consecutive numbers.
    Gap {
        first: u64,
        count: u64,
    },
    /// An answer to the member, which is never dropped. A member that does not read gets no further answers.
    Answer(Bytes),
}

/// Memory of an event that waits besides its bytes: an entry, in a queue with up to twice the capacity that it needs.
const ENTRY: usize = 2 * size_of::<Entry>();

/// Returns what an event counts towards the limit of a member. The members share its bytes, but not its entry.
fn weight(bytes: &Bytes) -> usize {
    bytes.len() + ENTRY
}

/// More waits for a member than its limit, and its listener disconnects such a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Bytes that have left a backlog for the socket.
#[derive(Debug)]
pub(crate) struct Unqueued {
    pub(crate) chunks: Vec<Bytes>,
    /// Number of events in them.
    pub(crate) events: usize,
    /// Number of dropped events that they report to the member.
    pub(crate) told: u64,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an event. Returns the number of events that were dropped for it.
    ///
    /// # Errors
    ///
    /// If there is no room and the member is to be disconnected.
    pub(super) fn push(
        &mut self,
        number: u64,
        bytes: Bytes,
        options: &Room,
    ) -> Result<u64, Overflow> {
        let mut dropped = 0;
        if self.bytes + weight(&bytes) > options.member_buffer {
            match options.slow {
                Slow::Close => return Err(Overflow),
                Slow::DropNewest => {
                    self.push_gap(number, 1);
                    return Ok(1);
                }
                Slow::DropOldest => dropped = self.make_room(weight(&bytes), options.member_buffer),
            }
        }
        self.bytes += weight(&bytes);
        self.entries.push_back(Entry::Event { number, bytes });
        Ok(dropped)
    }

    /// Adds a gap at the end.
    pub(super) fn push_gap(&mut self, number: u64, lost: u64) {
        self.untold += lost;
        match self.entries.back_mut() {
            Some(Entry::Gap { first, count }) if *first + *count == number => *count += lost,
            _ => self.entries.push_back(Entry::Gap { first: number, count: lost }),
        }
    }

    pub(super) fn push_answer(&mut self, bytes: Bytes) {
        self.entries.push_back(Entry::Answer(bytes));
    }

    /// Drops the oldest events until there is room for one of this weight. Returns their number.
    fn make_room(&mut self, len: usize, max: usize) -> u64 {
        let mut dropped = 0;
        let mut at = 0;
        while self.bytes + len > max && at < self.entries.len() {
            let Entry::Event { number, ref bytes } = self.entries[at] else {
                at += 1;
                continue;
            };
            self.bytes -= weight(bytes);
            dropped += 1;
            // A gap grows if it is just before the event; otherwise the event becomes one.
            let before = at.checked_sub(1).and_then(|at| self.entries.get_mut(at));
            if let Some(Entry::Gap { first, count }) = before
                && *first + *count == number
            {
                *count += 1;
                self.entries.remove(at);
            } else {
                self.entries[at] = Entry::Gap { first: number, count: 1 };
                at += 1;
            }
        }
        self.untold += dropped;
        dropped
    }

    /// Takes the first bytes for the socket: about a read buffer, in at most as many chunks as one write takes.
    pub(super) fn take(&mut self, form: Form) -> Unqueued {
        let (mut chunks, mut len, mut events, mut told) = (Vec::new(), 0, 0, 0);
        while chunks.len() < limits::WRITE_CHUNKS && len < limits::READ_BUFFER {
            let bytes = match self.entries.pop_front() {
                None => break,
                Some(Entry::Event { bytes, .. }) => {
                    self.bytes -= weight(&bytes);
                    events += 1;
                    bytes
                }
                Some(Entry::Answer(bytes)) => bytes,
                Some(Entry::Gap { first, count }) => {
                    told += count;
                    let mut bytes = Vec::new();
                    form.encode(&Event::Gap { first, count }, &mut bytes);
                    bytes.into()
                }
            };
            len += bytes.len();
            chunks.push(bytes);
        }
        self.untold -= told;
        if self.entries.is_empty() {
            // A member that reads again gives the memory back.
            self.entries = VecDeque::new();
        }
        Unqueued { chunks, events, told }
    }

    /// Returns the number of dropped events of which the member has not been told.
    pub(super) fn untold(&self) -> u64 {
        self.untold
    }

    /// Returns the weight of the events that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] = &[b'x'; 1000];

    fn options(slow: Slow) -> Room {
        Room { slow, member_buffer: 3 * (EVENT.len() + ENTRY), ..Room::default() }
    }

    /// Adds events with these numbers, and returns what the member receives and the number of dropped events.
    fn received(slow: Slow, numbers: std::ops::Range<u64>) -> (Vec<String>, u64) {
        let (mut backlog, mut dropped) = (Backlog::default(), 0);
        for number in numbers {
            let text = format!("{number}-{}", "x".repeat(EVENT.len() - 2));
            dropped += backlog.push(number, Bytes::from(text), &options(slow)).unwrap();
            assert!(backlog.bytes() <= options(slow).member_buffer);
        }
        let Unqueued { chunks, told, .. } = backlog.take(Form::Frames);
        assert_eq!((told, backlog.untold(), backlog.bytes()), (dropped, 0, 0));
        let text = |chunk: &Bytes| match chunk.get(4) {
            Some(b'g') => {
                let frame = common::room::Frame::parse(&chunk[4..]).unwrap();
                format!("gap {} {}", frame.number, str::from_utf8(frame.text).unwrap())
            }
            _ => str::from_utf8(&chunk[..1]).unwrap().to_owned(),
        };
        (chunks.iter().map(text).collect(), dropped)
    }

    #[test]
    fn the_oldest_or_the_newest_events_become_a_gap_where_they_were() {
        assert_eq!(received(Slow::DropOldest, 1..4), (vec!["1".into(), "2".into(), "3".into()], 0));
        let oldest = vec!["gap 1 4".to_owned(), "5".into(), "6".into(), "7".into()];
        assert_eq!(received(Slow::DropOldest, 1..8), (oldest, 4));
        let newest = vec!["1".to_owned(), "2".into(), "3".into(), "gap 4 4".into()];
        assert_eq!(received(Slow::DropNewest, 1..8), (newest, 4));
    }

    #[test]
    fn events_of_a_few_bytes_take_no_more_memory_than_the_limit() {
        let options = Room::default();
        let mut backlog = Backlog::default();
        for number in 0..100_000 {
            backlog.push(number, Bytes::from_static(b"a: b\n"), &options).unwrap();
        }
        let memory = backlog.entries.capacity() * size_of::<Entry>();
        assert!(memory <= options.member_buffer, "{memory} bytes");
    }

    #[test]
    fn an_answer_is_not_dropped_and_keeps_its_place() {
        let mut backlog = Backlog::default();
        let options = options(Slow::DropOldest);
        let push = |backlog: &mut Backlog, number| {
            backlog.push(number, Bytes::from_static(EVENT), &options).unwrap();
        };
        push(&mut backlog, 1);
        backlog.push_answer(Bytes::from_static(b"answer"));
        (2..6).for_each(|number| push(&mut backlog, number));
        let Unqueued { chunks, told, .. } = backlog.take(Form::Lines);
        assert_eq!(told, 2);
        assert_eq!(chunks[0], "* 1 message was lost: this connection is too slow\n");
        assert_eq!(chunks[1], "answer");
        assert_eq!(chunks[2], "* 1 message was lost: this connection is too slow\n");
        assert_eq!(chunks.len(), 6);
    }

    #[test]
    fn a_member_is_disconnected_where_the_listener_says_so() {
        let (mut backlog, options) = (Backlog::default(), options(Slow::Close));
        for number in 1..4 {
            assert_eq!(backlog.push(number, Bytes::from_static(EVENT), &options), Ok(0));
        }
        assert_eq!(backlog.push(4, Bytes::from_static(EVENT), &options), Err(Overflow));
    }

    #[test]
    fn a_write_takes_a_bounded_part() {
        let mut backlog = Backlog::default();
        let options = Room { member_buffer: usize::MAX, ..Room::default() };
        for number in 1..100 {
            backlog.push(number, Bytes::from_static(EVENT), &options).unwrap();
        }
        assert_eq!(backlog.take(Form::Lines).chunks.len(), limits::WRITE_CHUNKS);
    }
}
