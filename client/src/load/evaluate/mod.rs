//! Evaluation of a report: metrics by name, assertions on them, and the verdict.
//!
//! Owns the names of the metrics and the thresholds of the verdict. Must not know how the figures were
//! measured, nor how they are shown.
//!
//! Read [`verdict`] first; a metric is declared in [`metric`].

pub(crate) mod assertion;
pub(crate) mod change;
pub(crate) mod metric;
mod metric_value;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod verdict;
