//! Coordinator of a load: starts the worker processes, supervises them, and adds up their statistics.
//!
//! Owns the processes: none outlives a run, and each that fails is named. Must not know what the statistics
//! mean, nor what the workers do.
//!
//! Read [`process_pool`] first.

pub(crate) mod error;
mod exit_reason;
mod line_buffer;
pub(crate) mod process_pool;
mod worker_process;

pub(crate) use error::Error;
