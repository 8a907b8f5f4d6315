//! The time between two attempts to connect.

use std::time::Duration;

/// The times between attempts: each twice as long as the one before, up to a maximum.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first }
    }

    /// A connection has ended that has lasted so long. A short one does not count: a Redis that accepts connections and then
    /// refuses what they ask for is tried less and less often.
    pub(super) fn disconnected(&mut self, lasted: Duration) {
        if lasted >= self.max {
            self.next = self.first;
        }
    }

    /// Returns the time until the next attempt. `random` takes up to half of it away, so that servers that have lost Redis
    /// together do not connect together.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let time = self.next;
        self.next = time.saturating_mul(2).min(self.max);
        let half_ns = u64::try_from(time.as_nanos() / 2).unwrap_or(u64::MAX);
        time.saturating_sub(Duration::from_nanos(random % half_ns.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_attempt_comes_later_up_to_a_maximum_until_a_connection_lasts() {
        let mut backoff = Backoff::new(SECOND, 5 * SECOND);
        let times: Vec<_> = (0..5).map(|_| backoff.next(0).as_secs()).collect();
        assert_eq!(times, [1, 2, 4, 5, 5]);
        backoff.disconnected(4 * SECOND);
        assert_eq!(backoff.next(0), 5 * SECOND);
        backoff.disconnected(5 * SECOND);
        assert_eq!(backoff.next(0), SECOND);
    }

    #[test]
    fn chance_takes_away_at_most_half_of_the_time() {
        for random in [1, 7, 499_999_999, 500_000_000, 500_000_001, u64::MAX] {
            let time = Backoff::new(SECOND, SECOND).next(random);
            assert!((SECOND / 2..=SECOND).contains(&time), "{random}: {time:?}");
        }
        assert_eq!(Backoff::new(SECOND, SECOND).next(500_000_000), SECOND / 2);
    }
}
