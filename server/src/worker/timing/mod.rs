//! The times of the event loop: when it polls without sleep, which events it has seen, and the next deadline.
//!
//! Owns the decision to busy-poll, the time before which all events have been seen, and the timers. Must not know polls and
//! connections: it receives the time and numbers.

mod busy_poll;
mod poll_coverage;
mod timers;

pub(super) use self::{
    busy_poll::BusyPoll,
    poll_coverage::PollCoverage,
    timers::{Armed, Timers},
};
