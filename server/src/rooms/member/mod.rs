//! The side of a member: its place in a room, and what waits for it.
//!
//! Read `member.rs` first.

mod backlog;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod member;
mod membership;

pub(crate) use self::{
    backlog::{Overflow, Unqueued},
    member::{Answer, Identity, Member, Send},
};
