//! State that the acceptor and the workers of one server share, and nothing else.
//!
//! Owns the [`Phase`] of the server, the dispatch queue through which a connection changes threads, the
//! messages to workers, and [`SharedState`], which holds these with the limits and counters. Must not know what is done with them.
//!
//! Read [`dispatch_queue`] first: it explains why no wakeup is lost.

mod dispatch_queue;
#[cfg(test)]
mod dispatch_queue_tests;
mod fault_control;
#[cfg(feature = "admin")]
mod listing;
mod phase;
mod state;
mod sync;
mod worker_messages;

#[cfg(feature = "admin")]
pub(crate) use self::listing::{ListPage, ListRequest};
#[cfg(test)]
pub(crate) use self::state::fixture;
pub use self::{fault_control::FaultsError, phase::Phase};
pub(crate) use self::{
    fault_control::{FaultSource, log_faults},
    state::{SharedState, WAKE},
    worker_messages::{MessageReceiver, WorkerMessage},
};
