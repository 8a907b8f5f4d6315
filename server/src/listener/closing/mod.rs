//! Closing a listener so that no connection is reset.
//!
//! Closing a listening socket resets the connections in its backlog, and those whose handshake completes later. So a
//! listener closes in three steps: it refuses new handshakes, waits for those in progress, and accepts what is in its
//! backlog. A client that connects meanwhile is refused (Unix), or sends its SYN again a second later (TCP).
//!
//! A socket that another process may share, such as a service manager, still receives connections after the close, so
//! only its backlog is accepted.
//!
//! Read `closing.rs` first.

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod closing;
mod handshakes;
mod refuse;
#[cfg(test)]
mod tests;

pub(super) use self::{closing::Closing, handshakes::Handshakes, refuse::accept_handshakes};
