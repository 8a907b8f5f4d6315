//! Report of a load: plain data, the formats in which it is written, and the table on the terminal.
//!
//! Owns the form of the document, which `docs/load-report.schema.json` describes. Must not know how the
//! figures were measured, nor evaluate them: `evaluate` does that, one layer above.
//!
//! Read [`document`] first.

pub(crate) mod distribution;
pub(crate) mod document;
pub(crate) mod figures;
pub(crate) mod files;
pub(crate) mod hlog;
pub(crate) mod html;
mod latency_bars;
pub(crate) mod load_spec;
pub(crate) mod rate_curve;
pub(crate) mod rows;
pub(crate) mod table;
pub(crate) mod time_series;
pub(crate) mod verdict;
