//! Plan of a load: the arguments as typed, and the validated job.
//!
//! Owns names, help and form of the arguments, and refuses contradictions by name. Must not start anything.
//!
//! Read [`args`] first, then [`job`].

pub(crate) mod args;
pub(crate) mod compare_config;
mod file_identity;
pub(crate) mod job;
pub(crate) mod report_config;
pub(crate) mod room;
pub(crate) mod size_range;
pub(crate) mod start_time;
