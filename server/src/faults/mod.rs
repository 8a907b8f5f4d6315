//! Faults on purpose, without I/O.
//!
//! ```text
//! registry: the open listeners, for a change by the admin listener or a reload
//!    ▼
//! listener: the present faults of one listener
//!    ▼
//! injector: these faults with their seed; makes all random choices
//!    ▼
//! plan: the faults of one connection, by its number; its random choices come from random and damage
//!    ▼
//! wire/: their effect on the bytes of a connection
//! messages/: their effect on the messages of an echo
//! datagrams/: their effect on the answers of a UDP socket
//! ```
//!
//! Owns which faults a connection has, and their effect on its bytes. Must not know sockets, sessions, layers or the log: a
//! fault returns an act, and its caller records it.
//!
//! Read `plan.rs` first.

mod damage;
mod datagrams;
mod injected;
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
    injected::InjectedFault,
    listener::ListenerFaults,
    messages::{EchoPlace, Format, MessageFaults, Outcome},
    plan::FaultPlan,
    registry::{FaultRegistry, OpenListenerFaults},
    wire::{FaultyStream, Received, Wire, WireEnd},
};
