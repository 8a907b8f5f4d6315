//! The messages between members and the owners of their rooms.

use std::sync::Arc;

use bytes::Bytes;

#[cfg(feature = "redis")]
use super::event::Content;
use super::event::{Form, RoomEvent};
use crate::{config::Room, telemetry::ConnectionId};

/// A room while it exists: rooms of the same name at different times differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RoomId {
    /// The worker that owns the room.
    pub(super) owner: u32,
    pub(super) number: u64,
}

/// A command of a member, to the owner of a room.
#[derive(Debug)]
pub(super) enum Command {
    /// Enter the room. The answer is [`Notice::Joined`] or [`Notice::Refused`].
    Join(Box<Join>),
    /// A message to all members. There is no other answer.
    Publish { room: Arc<str>, member: ConnectionId, text: Bytes },
    /// The answer is [`Notice::Answered`].
    Rename { room: Arc<str>, member: ConnectionId, name: Arc<str> },
    /// The answer is [`Notice::Answered`].
    Who { room: Arc<str>, member: ConnectionId },
    /// Receive later events in this form. The answer is [`Notice::Answered`].
    SetForm { room: Arc<str>, member: ConnectionId, form: Form },
    /// The member leaves its worker for another one, and has received all events before `next`.
    MoveAway { room: Arc<str>, member: ConnectionId, next: u64 },
    /// It is on this worker now. The answer is [`Notice::Resumed`].
    Arrive { room: Arc<str>, member: ConnectionId, worker: usize },
    /// Leave the room. If the member waits on a worker, the answer is [`Notice::Left`], behind all events before it. It comes
    /// also if the member is not in the room, because its join was refused.
    Leave { room: Arc<str>, member: ConnectionId, awaited_on: Option<usize> },
    /// An event of another server.
    #[cfg(feature = "redis")]
    Relayed { room: Arc<str>, content: Content },
}

/// Somebody who wants to enter a room.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) room: Arc<str>,
    pub(super) member: ConnectionId,
    pub(super) worker: usize,
    pub(super) name: Name,
    pub(super) form: Form,
    pub(super) options: Arc<Room>,
    pub(super) origin: Origin,
}

/// The name that a member wants.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// Any name.
    Any,
    /// The name of a guest, unless somebody has it.
    Guest(Arc<str>),
    /// The name of a user who has logged in.
    User(Arc<str>),
}

/// Where the messages of a member come from, for the record.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: Arc<str>,
    pub(crate) listener: Arc<str>,
}

/// A message to the members on one worker.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// To all members of the room on that worker.
    Event(RoomId, Arc<RoomEvent>),
    /// To one member.
    Notice(ConnectionId, Notice),
}

/// An answer to one member.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The member is in the room, and receives the events from `next` on. The chunks are its welcome and the last messages.
    Joined { room: RoomId, name: Arc<str>, next: u64, chunks: Vec<Bytes> },
    /// It is not.
    Refused { bytes: Vec<u8> },
    /// The answer to a command.
    Answered { form: Form, name: Arc<str>, bytes: Vec<u8> },
    /// The events that the member has missed while it moved, from the number `next` on. Later events follow.
    Resumed { room: RoomId, missed: Vec<Arc<RoomEvent>>, next: u64 },
    /// The member has left the room.
    Left,
}

impl Command {
    /// Returns its weight in the mailbox, in bytes.
    pub(super) fn weight(&self) -> usize {
        let text = match self {
            Self::Publish { text, .. } => text.len(),
            #[cfg(feature = "redis")]
            Self::Relayed { content, .. } => content.text_len(),
            _ => 0,
        };
        size_of::<Self>() + text
    }
}

impl Delivery {
    /// Returns its weight in the mailbox, in bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Event(_, event) => event.weight(),
            Self::Notice(_, Notice::Joined { chunks, .. }) => {
                size_of::<Self>() + chunks.iter().map(Bytes::len).sum::<usize>()
            }
            Self::Notice(..) => size_of::<Self>(),
        }
    }
}
