//! Counters of the members of a room.

use serde::{Deserialize, Serialize};

/// Counters of a load of a room. Deliveries of the warm-up are checked and not counted; what is wrong always counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RoomStats {
    /// Messages that arrived at a member for the first time, with the right text.
    pub(crate) deliveries: u64,
    /// Events of which the server told that they are lost, because a member was too slow.
    pub(crate) told: u64,
    /// Messages between two servers of which the server told that they are lost; each member counts them.
    pub(crate) relay_told: u64,
    /// Events that did not arrive without being told.
    pub(crate) missing: u64,
    /// Events and messages that arrived again.
    pub(crate) duplicates: u64,
    /// Events and messages that arrived in a wrong order.
    pub(crate) order: u64,
    /// Messages with a wrong text, or under the name of another member.
    pub(crate) wrong_texts: u64,
    /// Messages that this load has not sent.
    pub(crate) foreign: u64,
}

impl RoomStats {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.deliveries += other.deliveries;
        // A server may claim any number.
        self.told = self.told.saturating_add(other.told);
        self.relay_told = self.relay_told.saturating_add(other.relay_told);
        self.missing = self.missing.saturating_add(other.missing);
        self.duplicates += other.duplicates;
        self.order += other.order;
        self.wrong_texts += other.wrong_texts;
        self.foreign += other.foreign;
    }
}
