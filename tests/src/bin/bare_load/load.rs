//! A way to load a server.

use std::time::Duration;

use crate::measurement::Measurement;

/// Load that can run several times. A later run continues where the earlier one has stopped.
pub(crate) trait Load {
    /// Runs for this time, and returns the number of messages that have returned completely. Records round trips in
    /// `measurement` if it is timed.
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64>;
}
