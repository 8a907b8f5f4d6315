//! Counters and histograms: each is written by one thread, and read by any.
//!
//! Owns the primitives, the counters of workers and listeners, the registry that keeps those of listeners across reloads, and
//! the figures of the process.
//! Must not know which events are counted, nor in which format they are read.
//!
//! Read `listener.rs` first.

mod counter;
mod counters;
mod histogram;
mod listener;
#[cfg(feature = "admin")]
mod process;
mod registry;
mod stats;
mod worker;

#[cfg(feature = "admin")]
pub(crate) use self::process::ProcessStats;
pub use self::stats::Stats;
pub(crate) use self::{
    counter::Counter,
    counters::Counters,
    histogram::{BOUNDS_NS, HistogramTotals},
    listener::{ListenerCounters, ListenerMetrics, WorkerListener},
    registry::Registry,
    worker::WorkerCounters,
};
