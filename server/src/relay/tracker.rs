//! What this server has received of each other server: which events are new, known or lost.
//!
//! The events of a server to a room have consecutive counts, so a higher count than the next one shows a loss, and a count
//! that is not higher than the last one is an event that was received or counted as lost already. A server that starts again
//! has another identity, and a room that ends and begins again another stream; both begin at count 1.
//!
//! The first contact with a server is no loss: its rooms may be older than this server. All streams above the latest one in
//! its first heartbeat begin after that, so their first events can be missing as well.

use std::{collections::HashMap, sync::Arc};

use super::{limits, node::Node};
use crate::rooms::Position;

/// The events of other servers so far.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    servers: HashMap<Node, Server>,
    /// Number of payloads so far.
    clock: u64,
}

/// Another server.
#[derive(Debug, Default)]
struct Server {
    /// The last stream that may have begun before the first payload from the server. `None`: no heartbeat has arrived, so every
    /// stream may.
    older_streams: Option<u64>,
    rooms: HashMap<Arc<str>, Position>,
    /// The clock at its last payload.
    seen: u64,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next event. So many before it were lost.
    New { lost: u64 },
    /// It was received or counted as lost already.
    Old,
}

impl Tracker {
    /// Receives an event.
    pub(super) fn receive(&mut self, node: Node, room: &Arc<str>, position: Position) -> Verdict {
        match self.server(node).advance(room, position) {
            Some(Advance::Met) => Verdict::New { lost: 0 },
            Some(Advance::By(events)) => Verdict::New { lost: events - 1 },
            None => Verdict::Old,
        }
    }

    /// Receives the latest stream of a server.
    pub(super) fn meet(&mut self, node: Node, latest: u64) {
        self.server(node).older_streams.get_or_insert(latest);
    }

    /// Learns the last event of a room. Returns the number of events that were lost.
    pub(super) fn learn(&mut self, node: Node, room: &Arc<str>, last: Position) -> u64 {
        match self.server(node).advance(room, last) {
            Some(Advance::By(events)) => events,
            Some(Advance::Met) | None => 0,
        }
    }

    fn server(&mut self, node: Node) -> &mut Server {
        self.clock += 1;
        if !self.servers.contains_key(&node) && self.servers.len() >= limits::SERVERS {
            let oldest = self.servers.iter().min_by_key(|(_, server)| server.seen);
            if let Some((&oldest, _)) = oldest {
                self.servers.remove(&oldest);
            }
        }
        let server = self.servers.entry(node).or_default();
        server.seen = self.clock;
        server
    }
}

/// How far a room has advanced.
enum Advance {
    /// The room may be older than the contact with its server.
    Met,
    /// By so many events, at least one.
    By(u64),
}

impl Server {
    /// Advances a room to this position. `None`: the room is there already.
    fn advance(&mut self, room: &Arc<str>, position: Position) -> Option<Advance> {
        let advance = match self.rooms.get(room) {
            Some(last) if last.stream > position.stream => return None,
            Some(last) if last.stream == position.stream => {
                let more = position.count.checked_sub(last.count);
                Advance::By(more.filter(|more| *more > 0)?)
            }
            None if self.older_streams.is_none_or(|older| position.stream <= older) => Advance::Met,
            Some(_) | None => Advance::By(position.count),
        };
        if self.rooms.len() >= limits::ROOMS && !self.rooms.contains_key(room) {
            let latest = self.rooms.values().map(|position| position.stream).max();
            self.older_streams = self.older_streams.max(latest);
            self.rooms.clear();
        }
        self.rooms.insert(Arc::clone(room), position);
        Some(advance)
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict::*, *};

    const A: Node = Node(1);
    const B: Node = Node(2);

    fn at(stream: u64, count: u64) -> Position {
        Position { stream, count }
    }

    fn lobby() -> Arc<str> {
        "lobby".into()
    }

    #[test]
    fn consecutive_events_are_new_and_each_is_new_once() {
        let mut tracker = Tracker::default();
        for count in 1..10 {
            assert_eq!(tracker.receive(A, &lobby(), at(1, count)), New { lost: 0 });
            assert_eq!(tracker.receive(A, &lobby(), at(1, count)), Old, "a duplicate");
        }
        assert_eq!(tracker.receive(A, &lobby(), at(1, 4)), Old, "out of order");
        assert_eq!(tracker.receive(B, &lobby(), at(1, 1)), New { lost: 0 }, "another server");
    }

    #[test]
    fn a_higher_count_than_the_next_one_shows_how_many_were_lost() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.receive(A, &lobby(), at(1, 1)), New { lost: 0 });
        assert_eq!(tracker.receive(A, &lobby(), at(1, 14)), New { lost: 12 });
        assert_eq!(tracker.receive(A, &lobby(), at(1, 8)), Old, "it was counted as lost");
    }

    #[test]
    fn the_last_events_before_a_silence_are_missed_as_well() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.receive(A, &lobby(), at(1, 1)), New { lost: 0 });
        assert_eq!(tracker.learn(A, &lobby(), at(1, 4)), 3);
        assert_eq!(tracker.learn(A, &lobby(), at(1, 4)), 0, "it is told once");
        assert_eq!(tracker.receive(A, &lobby(), at(1, 5)), New { lost: 0 });
        assert_eq!(tracker.learn(A, &lobby(), at(1, 4)), 0);
    }

    #[test]
    fn the_first_contact_with_a_server_is_not_a_loss() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.receive(A, &lobby(), at(3, 100)), New { lost: 0 });
        let older = "older".into();
        assert_eq!(tracker.receive(A, &older, at(4, 50)), New { lost: 0 }, "before a heartbeat");
        tracker.meet(B, 7);
        assert_eq!(tracker.receive(B, &lobby(), at(7, 100)), New { lost: 0 });
        assert_eq!(tracker.receive(B, &lobby(), at(7, 102)), New { lost: 1 });
        let other = "other".into();
        assert_eq!(
            tracker.receive(B, &other, at(8, 5)),
            New { lost: 4 },
            "it began after the contact"
        );
    }

    #[test]
    fn the_last_event_of_a_room_that_was_never_heard_of_is_no_loss_unless_it_began_later() {
        let mut tracker = Tracker::default();
        tracker.meet(A, 7);
        assert_eq!(tracker.learn(A, &lobby(), at(7, 100)), 0);
        assert_eq!(tracker.learn(A, &lobby(), at(7, 102)), 2);
        assert_eq!(tracker.learn(A, &"other".into(), at(8, 3)), 3);
    }

    #[test]
    fn a_room_that_begins_again_counts_from_one() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.receive(A, &lobby(), at(1, 100)), New { lost: 0 });
        assert_eq!(tracker.receive(A, &lobby(), at(2, 1)), New { lost: 0 });
        assert_eq!(tracker.receive(A, &lobby(), at(1, 101)), Old, "of the earlier room");
        assert_eq!(tracker.receive(A, &lobby(), at(4, 3)), New { lost: 2 });
    }

    #[test]
    fn the_tables_are_bounded_and_what_they_forget_is_not_a_loss() {
        let mut tracker = Tracker::default();
        for stream in 1..=limits::ROOMS as u64 + 1 {
            let room = format!("room-{stream}").into();
            assert_eq!(tracker.receive(A, &room, at(stream, 1)), New { lost: 0 });
        }
        assert_eq!(tracker.servers[&A].rooms.len(), 1);
        assert_eq!(tracker.receive(A, &"room-5".into(), at(5, 9)), New { lost: 0 });
        for node in 10..10 + limits::SERVERS as u64 {
            tracker.meet(Node(node), 0);
        }
        assert_eq!(tracker.servers.len(), limits::SERVERS);
        assert!(!tracker.servers.contains_key(&A), "it was silent for the longest time");
    }
}
