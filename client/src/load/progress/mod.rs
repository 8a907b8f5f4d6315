//! Progress of a load on the terminal while it runs: a line, and the chart of `--live`.
//!
//! Owns what standard error shows until the report. Knows the figures so far (`Outcome`) and
//! nothing else of a running load. Must not change them.
//!
//! Read [`Progress`] first.

mod chart;
mod live;
#[expect(clippy::module_inception, reason = "the main type of the folder")]
mod progress;
mod timeline;

pub(super) use self::progress::{Display, Progress};
