//! A client of an admin listener: a request over HTTP, with a deadline and a limit on the size of the answer.
//!
//! Owns the address of an admin listener, the socket and the form of the answer. Must not know the meaning of the answer.
//!
//! Read `request.rs` first.

mod args;
mod json;
mod request;
mod response;
mod target;

pub(super) use self::{
    args::AdminArgs,
    json::push_line,
    request::{Deadline, Failure, Request, get, send},
    target::Target,
};
