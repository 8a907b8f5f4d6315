//! Faults on purpose, without I/O.
//!
//! ```text
//! listener: the faults of one listener now, which the admin listener and a reload change
//!    ▼
//! injector: these faults with their seed; draws everything that is left to chance
//!    ▼
//! plan: the faults of one connection, by its number
//!    ▼
//! wire: what they do to the bytes of a connection
//! messages/: what becomes of the messages of an echo
//! datagrams/: what becomes of the answers of a UDP socket
//! ```
//!
//! Owns which faults a connection has, and what they do to its bytes. Must not know sockets, sessions, layers or the log: a
//! fault returns what was done, and its caller records it.
//!
//! Read `plan.rs` first.

mod damage;
mod datagrams;
mod injector;
mod listener;
mod messages;
mod plan;
mod random;
mod registry;
mod wire;

#[cfg(feature = "admin")]
pub(crate) use self::injector::Injector;
pub(crate) use self::{
    datagrams::FaultyAnswers,
    listener::ListenerFaults,
    messages::{Format, MessageFaults, Outcome},
    plan::FaultPlan,
    registry::{FaultRegistry, FaultyListener},
    wire::{FaultyStream, Received, Wire, WireEnd},
};
