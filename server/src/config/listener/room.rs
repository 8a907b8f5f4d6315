//! Rooms on a listener.

use common::room::DEFAULT_ROOM;

use crate::config::limits;

/// Rooms in place of the echo, on a listener whose clients are members.
///
/// ```
/// use std::sync::Arc;
/// use server::{Listener, Room};
///
/// let mut listener = Listener::tcp("127.0.0.1", 0);
/// listener.options.room = Some(Arc::new(Room::default()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The room that a connection joins first; [`is_room_name`](common::room::is_room_name) has the rule for its name.
    /// Default: `lobby`.
    pub first: String,
    /// Permission for a client to choose its room. Default: yes.
    pub may_choose: bool,
    /// Number of messages before the join that a new member receives. Default: 0. The highest number is 1,000.
    pub history: usize,
    /// What happens to a member that reads too slowly. Default: [`Slow::DropOldest`].
    pub slow: Slow,
    /// Limit on the bytes that wait for a member, besides those of one write. Default: 256 KiB.
    pub member_buffer: usize,
}

/// What happens to a member for whom more bytes wait than its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slow {
    /// The oldest messages are dropped, and the member is told how many.
    #[default]
    DropOldest,
    /// New messages are dropped, and the member is told how many.
    DropNewest,
    /// The member is disconnected.
    Close,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            first: DEFAULT_ROOM.to_owned(),
            may_choose: true,
            history: 0,
            slow: Slow::default(),
            member_buffer: limits::MEMBER_BUFFER,
        }
    }
}
