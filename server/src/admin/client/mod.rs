//! One connection to the admin listener: its requests, its responses, its deadlines.
//!
//! Must not know what the endpoints answer, nor other connections. Read `client.rs` first.

mod answer;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod client;
mod request;

pub(super) use self::{
    answer::Answer,
    client::{Client, Step},
    request::{Access, Request},
};
