//! The events of members of this server, on their way to other servers.
//!
//! The owner of a room adds its events and never waits: if the outbox is full, an event is dropped. Each event has a
//! position among those of its room, so the other servers notice what is missing.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use crossbeam::sync::Unparker;

use super::{
    event::Content,
    mailbox::{Mailbox, Wake},
};

impl Wake for Unparker {
    fn wake(&self) {
        self.unpark();
    }
}

/// The place of an event among those that the members of one server have sent to a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The room while it exists: a later one of the same name has a higher number. From 1.
    pub(crate) stream: u64,
    /// Number of the event, from 1.
    pub(crate) count: u64,
}

/// An event for other servers.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) room: Arc<str>,
    pub(crate) position: Position,
    pub(crate) content: Content,
}

/// The queue of events from the owners of rooms to the thread that publishes them.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mailbox<Outgoing, Unparker>,
    /// Number of rooms so far.
    streams: AtomicU64,
    dropped: Mutex<Dropped>,
}

/// The events for which there was no room.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) events: u64,
    /// The last event of each room.
    pub(crate) last: HashMap<Arc<str>, Position>,
}

impl Outbox {
    /// Creates an outbox for events of at most `max` bytes, from which the thread of `unparker` takes them.
    pub(crate) fn new(max: usize, unparker: Unparker) -> Self {
        Self {
            queue: Mailbox::new(max, unparker),
            streams: AtomicU64::new(0),
            dropped: Mutex::default(),
        }
    }

    /// Adds an event of a room, whose last one was at `last`. If there is no room, the event is dropped.
    pub(crate) fn push(&self, room: &Arc<str>, last: &mut Position, content: &Content) {
        if last.stream == 0 {
            last.stream = self.streams.fetch_add(1, SeqCst) + 1;
        }
        last.count += 1;
        let outgoing =
            Outgoing { room: Arc::clone(room), position: *last, content: content.clone() };
        if let Err(outgoing) = self.queue.send(outgoing.weight(), outgoing) {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            dropped.events += 1;
            dropped.last.insert(outgoing.room, outgoing.position);
        }
    }

    /// Begins to take events. All that are added from now on wake the thread again.
    pub(crate) fn begin(&self) {
        self.queue.begin();
    }

    /// Takes the first event.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        self.queue.take()
    }

    /// Takes the account of the dropped events. Those of them that were dropped before an event in the queue are older than it.
    pub(crate) fn take_dropped(&self) -> Dropped {
        std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outgoing {
    /// Returns the memory that it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.content.text_len()
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::sync::Parker;

    use super::*;

    fn joined() -> Content {
        Content::Joined { name: "bob".into() }
    }

    #[test]
    fn an_event_for_which_there_is_no_room_is_dropped_and_its_position_is_kept() {
        let parker = Parker::new();
        let outbox = Outbox::new(2 * size_of::<Outgoing>(), parker.unparker().clone());
        let (room, mut last) = (Arc::from("lobby"), Position::default());
        (0..5).for_each(|_| outbox.push(&room, &mut last, &joined()));
        assert_eq!(last, Position { stream: 1, count: 5 });
        let counts: Vec<_> =
            std::iter::from_fn(|| outbox.take()).map(|event| event.position.count).collect();
        assert_eq!(counts, [1, 2]);
        let dropped = outbox.take_dropped();
        assert_eq!((dropped.events, dropped.last[&room]), (3, last));
        assert_eq!(outbox.take_dropped().events, 0);
        outbox.push(&room, &mut last, &joined());
        assert_eq!(outbox.take().unwrap().position, Position { stream: 1, count: 6 });
    }

    #[test]
    fn each_room_has_a_higher_stream_than_those_before_it() {
        let outbox = Outbox::new(usize::MAX, Parker::new().unparker().clone());
        for stream in 1..4 {
            let mut last = Position::default();
            outbox.push(&Arc::from("lobby"), &mut last, &joined());
            assert_eq!(outbox.take().unwrap().position, Position { stream, count: 1 });
        }
    }
}
