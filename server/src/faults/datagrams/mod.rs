//! Faults of datagrams, without I/O and without a clock.
//!
//! ```text
//! answers: what one socket sends, and when
//!    ▼
//! source: the faults of one source, and what it has sent so far
//! held: the answers that wait for their time
//! ```
//!
//! Owns what becomes of an answer between the policy and the socket. Must not know sockets: the route of an answer has any type.
//!
//! Read `answers.rs` first.

mod answers;
mod held;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use self::answers::FaultyAnswers;
