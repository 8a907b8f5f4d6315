//! The fault log: a file with a line of JSON for each fault that was injected on purpose.
//!
//! ```text
//! telemetry ──> batch per thread ──> queue (bounded) ──> writer ──> file
//! ```
//!
//! Owns the way of a record to the file. Must not know connections, nor how a fault is injected. Without the feature `cli` there
//! is no file, and [`record`] does nothing.
//!
//! Read `fault_log.rs` first.

#[cfg(feature = "cli")]
mod batch;
#[cfg(feature = "cli")]
#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod fault_log;
#[cfg(not(feature = "cli"))]
mod no_fault_log;
#[cfg(feature = "cli")]
mod writer;

#[cfg(feature = "cli")]
pub use self::fault_log::FaultLogError;
#[cfg(not(feature = "cli"))]
pub(crate) use self::no_fault_log::record;
#[cfg(feature = "cli")]
pub(crate) use self::{
    batch::{attach, detach, record},
    fault_log::{FaultLog, FaultLogWriter},
};
