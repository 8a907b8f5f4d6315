//! Polling: the wait for events.
//!
//! Owns the poll and its timeout, busy-polling before a sleep, and the time before which all events have been seen. Must not
//! know what a connection does with its readiness.
//!
//! Read `polling.rs` first.

mod busy_poll;
mod poll_coverage;
mod polling;

pub(super) use self::{busy_poll::BusyPoll, poll_coverage::PollCoverage};
