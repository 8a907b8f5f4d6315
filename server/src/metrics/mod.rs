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
#[cfg(feature = "admin")]
mod read;
mod registry;
mod stats;
mod worker;

pub use self::stats::Stats;
pub(crate) use self::{
    counter::Counter,
    counters::Counters,
    listener::{
        DATAGRAM_REASONS, FAULTS, LIMITS, ListenerCounters, ListenerMetrics, REASONS, UDP,
        WorkerListener,
    },
    registry::Registry,
    worker::WorkerCounters,
};
#[cfg(feature = "admin")]
pub(crate) use self::{
    histogram::BOUNDS_NS,
    process::ProcessStats,
    read::{HistogramTotals, seconds},
};
