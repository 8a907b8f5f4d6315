//! Limits of faults on purpose.

use std::time::Duration;

/// Maximum time that a fault takes: a delay, a stall, an interval. A test that waits longer waits for nothing.
pub const FAULT_TIME: Duration = Duration::from_hours(1);

/// Maximum end of the time in which a fault applies, since its listener got it.
pub const FAULT_WINDOW: Duration = Duration::from_hours(365 * 24);
