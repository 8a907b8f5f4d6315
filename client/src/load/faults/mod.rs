//! Faults that a server injects on purpose: whether a load has found exactly those that its fault log has.
//!
//! ```text
//! log: the records of the server ──> pairing: which belong to which observed connection
//!                                        ├───────> records: whether they contradict each other
//! stream: one connection <───────────────┼───────> datagrams: one UDP socket
//!   expected: what it must have received │
//!   compare: whether it did              ▼
//!   end, layers, times              figures of the report
//! ```
//!
//! Owns the rules by which a record and an observation agree. Must not know sockets, processes, nor how the observation was made: an
//! observation gives every received byte, so the rules compute what must have arrived, and compare.
//!
//! Read `stream.rs` first.

mod compare;
mod connection;
mod datagrams;
mod end;
mod expected;
mod judgement;
mod layers;
pub(crate) mod log;
mod pairing;
mod records;
mod stream;
#[cfg(test)]
mod tests;
mod times;
