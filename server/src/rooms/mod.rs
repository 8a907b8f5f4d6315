//! Rooms: messages from each member to all members, in one order.
//!
//! Owns the rooms of a server. Each belongs to one worker, which numbers its events; members are on any worker.
//!
//! ```text
//! member ──command──> mailbox of the owner ──> Room: number ──delivery──> mailbox of each worker with members ──> members
//! ```
//!
//! Only bytes that nobody changes any more cross from worker to worker: an event is encoded once for each form in
//! which a member receives it, however many members there are. Other servers may have the same rooms: they receive the events
//! from the outbox, and theirs arrive as commands. Must not know sockets, nor how a session reads its input.
//!
//! Read [`mailbox`] first, which loses no wakeup, then `room.rs`: it decides what a room does.

mod directory;
mod event;
mod local;
mod mailbox;
mod member;
mod message;
#[cfg(feature = "redis")]
mod outbox;
mod record;
mod room;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod rooms;
mod sync;
#[cfg(test)]
mod tests;

pub use self::rooms::RoomStats;
#[cfg(feature = "history")]
pub(crate) use self::rooms::{Past, PastMessage};
#[cfg(feature = "redis")]
pub(crate) use self::{
    event::Content,
    outbox::{Dropped, Outbox, Outgoing, Position},
};
pub(crate) use self::{
    event::{Form, RoomEvent},
    local::{Batch, LocalRooms},
    member::{Answer, Identity, Member, Overflow, Send, Unqueued},
    message::{Delivery, Notice},
    rooms::Rooms,
};
