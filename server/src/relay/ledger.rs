//! The last event of each room that this server has published or dropped, for servers that ask.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::limits;
use crate::rooms::Position;

/// The last event of each room.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rooms: HashMap<Arc<str>, Position>,
    /// The rooms whose last event the other servers are to be told.
    due: BTreeSet<Arc<str>>,
    latest: u64,
}

impl Ledger {
    /// Records an event.
    pub(super) fn record(&mut self, room: &Arc<str>, position: Position) {
        self.latest = self.latest.max(position.stream);
        if let Some(last) = self.rooms.get_mut(room) {
            if (position.stream, position.count) > (last.stream, last.count) {
                *last = position;
            }
            return;
        }
        if self.rooms.len() >= limits::ROOMS {
            self.rooms.clear();
            self.due.clear();
        }
        self.rooms.insert(Arc::clone(room), position);
    }

    /// Makes all rooms due.
    pub(super) fn call(&mut self) {
        self.due = self.rooms.keys().cloned().collect();
    }

    /// Makes a room due.
    pub(super) fn call_room(&mut self, room: &Arc<str>) {
        self.due.insert(Arc::clone(room));
    }

    /// Returns whether a room is due.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes the last events of some of the rooms that are due.
    pub(super) fn take_due(&mut self) -> Vec<(Arc<str>, Position)> {
        let due = std::iter::from_fn(|| self.due.pop_first()).take(limits::HEARTBEAT_ROOMS);
        let last = |room: Arc<str>| self.rooms.get(&room).map(|position| (room, *position));
        due.filter_map(last).collect()
    }

    /// Returns the highest stream so far.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stream: u64, count: u64) -> Position {
        Position { stream, count }
    }

    #[test]
    fn each_room_that_is_due_is_told_once_with_its_last_event() {
        let mut ledger = Ledger::default();
        let rooms: Vec<Arc<str>> = (0..100).map(|room| format!("room-{room}").into()).collect();
        for (stream, room) in (1..).zip(&rooms) {
            ledger.record(room, at(stream, 1));
            ledger.record(room, at(stream, 5));
            ledger.record(room, at(stream, 4));
        }
        assert!(!ledger.is_due());
        ledger.call();
        ledger.call_room(&rooms[0]);
        let parts = [ledger.take_due(), ledger.take_due()];
        assert_eq!(parts.each_ref().map(Vec::len), [limits::HEARTBEAT_ROOMS, 36]);
        assert!(parts.concat().iter().all(|(_, position)| position.count == 5));
        assert_eq!((ledger.is_due(), ledger.take_due(), ledger.latest()), (false, vec![], 100));
    }

    #[test]
    fn the_ledger_is_bounded() {
        let mut ledger = Ledger::default();
        for stream in 1..=limits::ROOMS as u64 + 1 {
            if stream == limits::ROOMS as u64 + 1 {
                ledger.call();
            }
            ledger.record(&format!("room-{stream}").into(), at(stream, 1));
            ledger.call_room(&format!("room-{stream}").into());
        }
        assert_eq!((ledger.take_due().len(), ledger.is_due()), (1, false));
    }
}
