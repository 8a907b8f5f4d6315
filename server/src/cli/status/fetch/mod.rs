//! A request over HTTP, with a deadline and a limit on the size of the answer.
//!
//! Owns the address of an admin listener, the socket and the form of the answer. Must not know what the answer means.
//!
//! Read `get.rs` first.

mod get;
mod response;
mod target;

pub(super) use self::{
    get::{Deadline, get},
    target::Target,
};
