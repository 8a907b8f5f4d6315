//! Waiting for events, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Time to wait for an event that must happen, before the test fails.
///
/// Far longer than any event takes on the slowest machine: it measures nothing.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Polls `condition` until it is true, for a condition that has no event to wait for.
///
/// # Panics
///
/// If the condition is false at the deadline; `what` describes it.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "still waiting: {what}");
        thread::yield_now();
    }
}
