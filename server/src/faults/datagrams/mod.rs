//! Faults of datagrams, without I/O and without a clock.
//!
//! ```text
//! answers: the answers of one socket, and the time of each
//!    ▼
//! source: the faults of one source, and its counts
//! held: the answers that wait for their time
//! ```
//!
//! Owns an answer between the policy and the socket. Must not know sockets: the route of an answer has any type.
//!
//! Read `answers.rs` first.

mod answers;
mod held;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use self::answers::FaultyAnswers;
