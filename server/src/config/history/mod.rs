//! The configuration of the history, and its limits.
//!
//! Must not know how messages are recorded. Read `options.rs` first.

pub mod limits;
mod options;

pub use self::options::{HistoryOptions, HistoryOverflow, Keep};
