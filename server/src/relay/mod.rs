//! Rooms that several servers share through Redis.
//!
//! ```text
//! owner of a room ──event──> outbox ──> publisher ──PUBLISH──> Redis ──> subscriber ──event──> owner of the room
//!      (server a1b2c3)                                                              (server d4e5f6)
//! ```
//!
//! Owns the two threads that talk to Redis, the form of what they send, and the account of what was lost. Nobody waits for
//! Redis but these threads: an owner drops an event if the outbox is full. Must not know members, nor what a room does.
//!
//! Read [`payload`] first, then [`tracker`], which decides what is new, what is known and what is lost. `publisher.rs`
//! and `subscriber.rs` are the threads.

mod backoff;
mod connection;
mod ledger;
mod limits;
mod node;
mod payload;
mod publisher;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod relay;
mod status;
mod subscriber;
mod tracker;

use std::sync::Arc;

pub(crate) use self::{
    limits::END,
    relay::{Parkers, Relay},
};
use self::{publisher::Publisher, subscriber::Subscriber};

/// Name of the thread that publishes.
pub(crate) const PUBLISHER: &str = "relay-publish";

/// What a thread runs.
pub(crate) type ThreadBody = Box<dyn FnOnce() + Send>;

/// Returns what each of the two threads runs, with its name. Both return after [`Relay::end`].
pub(crate) fn threads(relay: &Arc<Relay>, parkers: Parkers) -> [(&'static str, ThreadBody); 2] {
    let Parkers { publisher, subscriber } = parkers;
    let (one, other) = (Arc::clone(relay), Arc::clone(relay));
    [
        (PUBLISHER, Box::new(move || Publisher::new(&one, publisher).run())),
        ("relay-listen", Box::new(move || Subscriber::new(&other, subscriber).run())),
    ]
}
