//! Figures of a load of a room, as the report shows them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Figures of a load of a room. `messages` of the report are those that returned to their senders, and its latency is the time
/// from the send of a message, or from its due time, to its arrival at each member. All members of a load run on one machine and
/// have one clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RoomFigures {
    /// Members.
    pub(crate) members: u64,
    /// Members that send.
    pub(crate) senders: u64,
    /// Messages that arrived at a member for the first time with the right text, without those of the warm-up.
    pub(crate) deliveries: u64,
    /// Deliveries per second.
    pub(crate) deliveries_per_second: f64,
    /// Events of which the server told that they are lost, because a member was too slow.
    pub(crate) gaps: u64,
    /// Messages between two servers of which the server told that they are lost, once for each member.
    pub(crate) relay_gaps: u64,
    /// Events that did not arrive at a member without being told, and messages of which a member knows only from later ones
    /// of the same sender.
    pub(crate) missing: u64,
    /// Events and messages that arrived at a member again.
    pub(crate) duplicates: u64,
    /// Events that arrived at a member after a later one, messages of a sender in another order than it sent them, numbers
    /// that two messages have, and gaps over events that arrived.
    pub(crate) order_violations: u64,
    /// Messages that arrived at a member with a wrong text, or under the name of another member.
    pub(crate) wrong_texts: u64,
    /// Messages that this load has not sent. They are no failure.
    pub(crate) foreign: u64,
}

impl RoomFigures {
    /// Returns what is wrong, as counts with their nouns.
    pub(crate) fn violations(&self) -> Vec<(u64, &'static str)> {
        let all = [
            (self.missing, "missing"),
            (self.duplicates, "duplicate"),
            (self.order_violations, "out of order"),
            (self.wrong_texts, "with a wrong text"),
        ];
        all.into_iter().filter(|(count, _)| *count > 0).collect()
    }
}
