//! Counters and histograms.

pub mod counters;
pub mod format;
