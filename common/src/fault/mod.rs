//! Faults on purpose: their names, and the record of each that a server has injected.
//!
//! A server writes a record for each fault as it happens. A client that knows its own bytes finds the same faults in the bytes
//! that it receives.

mod act;
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod fault;
mod id;
#[cfg(feature = "fault-log")]
mod record;

#[cfg(feature = "fault-log")]
pub use self::record::FaultRecord;
pub use self::{
    act::{Direction, FaultAct},
    fault::Fault,
    id::FaultId,
};
