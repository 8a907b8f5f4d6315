//! Progress of a load on the terminal while it runs: a line, and the chart of `--live`.
//!
//! Owns what standard error shows until the report. Must not know how a load runs, nor change its figures.
//!
//! Read [`Progress`] first.

mod chart;
mod course;
mod live;
#[expect(clippy::module_inception, reason = "the main type of the folder")]
mod progress;

pub(super) use self::progress::{Display, Progress};
