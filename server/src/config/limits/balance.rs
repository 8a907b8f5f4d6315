//! Limits of the balance between workers.

use std::time::Duration;

/// Interval of the checks by which a worker compares its load with that of the others. Short enough to spread
/// a lasting load before a person notices, long enough to ignore a burst.
pub const BALANCE_INTERVAL: Duration = Duration::from_millis(100);

/// Share of busy time from which a worker counts as saturated: bursts wait from there on.
pub const SATURATED: f64 = 0.7;

/// Minimum difference between the busy time of a saturated worker and that of another, as a share of the time,
/// for connections to move. With a smaller difference they would soon move back.
pub const SKEW: f64 = 0.3;

/// Share of their time that busy workers wait for a core, on average, from which fewer workers are tried. Two workers that share a core
/// wait for half of the time.
pub const CONTENDED: f64 = 0.25;

/// Time after which a try of fewer workers has failed, if it has not helped before: two intervals, because the dispatch queue has room for
/// a thousand connections in each.
pub const CONSOLIDATION_TRY: Duration = Duration::from_millis(200);

/// Time for which fewer workers serve; if they do not help, time until the next try. Short, since the load and the machine change; long
/// in comparison with a try and the return from it.
pub const CONSOLIDATION: Duration = Duration::from_secs(5);
