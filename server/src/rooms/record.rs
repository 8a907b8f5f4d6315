//! The record of a room: each event becomes a row of the history, before its members receive it.

use super::{event::Content, message::Origin};
use crate::history::{self, Direction, Message};

/// Who has caused an event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// A member has sent it.
    Member(&'a Origin),
    /// Another server has sent it.
    #[cfg(feature = "redis")]
    Relay,
    /// The server tells who comes and goes.
    Server,
}

/// Records an event of a room, which has this number. The thread has to be attached to a history.
pub(super) fn record(room: &str, number: u64, content: &Content, source: Source<'_>) {
    let (direction, peer, listener) = match source {
        Source::Member(Origin { peer, listener }) => (Direction::Received, &**peer, &**listener),
        #[cfg(feature = "redis")]
        Source::Relay => (Direction::Relayed, "", ""),
        Source::Server => (Direction::Sent, "", ""),
    };
    let user = content.name();
    let origin =
        history::Origin { listener, protocol: "room", peer, user: Some(user), room: Some(room) };
    let sequence = Some(number);
    if let Content::Message { text, .. } = content {
        return history::record(&origin, &Message { direction, sequence, bytes: text });
    }
    let mut line = Vec::new();
    content.event(number, false).write_lines(false, &mut line);
    let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
    history::record(&origin, &Message { direction, sequence, bytes });
}
