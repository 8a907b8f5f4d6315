//! Report of the results: tables, targets, `BENCHMARKS.md` and the chart.
//!
//! It does not run or measure anything. Start with `page`, whose text is the template `benchmarks.md`.

pub(crate) mod chart;
pub(crate) mod page;
mod table;
pub(crate) mod tables;
mod targets;
