//! Poll coverage: the latest time before which every event has been seen.
//!
//! A poll returns a limited number of events. If there are more, connections without an event must not count as
//! idle, because their bytes may have waited for long, for example after a stop of the process. A worker cannot
//! wait for a poll that is not full either: with thousands of busy connections it may never see one. But the
//! kernel queues a reported descriptor after the unreported ones (`epoll(7)`). So a series of full polls with
//! room for every connection has reported all events from before its beginning.

use std::time::Instant;

use crate::config::limits::EVENTS;

/// A series of full polls: its beginning and the number of its events.
#[derive(Debug, Default)]
pub(crate) struct PollCoverage(Option<(Instant, usize)>);

impl PollCoverage {
    /// Records a poll that began at `begun` and returned this number of events. Returns the time before which
    /// all events have been seen, if it has advanced.
    pub(crate) fn record(
        &mut self,
        begun: Instant,
        events: usize,
        connections: usize,
    ) -> Option<Instant> {
        if events < EVENTS {
            self.0 = None;
            return Some(begun);
        }
        let (first, reported) = self.0.get_or_insert((begun, 0));
        *reported += events;
        // More than the connections, since an event may be that of the waker, and one that of the precise timer.
        let covered = (*reported > connections + 1).then_some(*first);
        if covered.is_some() {
            self.0 = None;
        }
        covered
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_poll_that_is_not_full_has_reported_everything() {
        let now = Instant::now();
        let mut coverage = PollCoverage::default();
        assert_eq!(coverage.record(now, 0, 0), Some(now));
        assert_eq!(coverage.record(now, EVENTS - 1, 5 * EVENTS), Some(now));
    }

    #[test]
    fn full_polls_have_reported_everything_once_they_could_hold_every_connection() {
        let start = Instant::now();
        let at = |polls| start + Duration::from_millis(polls);
        let mut two = PollCoverage::default();
        assert_eq!(two.record(at(0), EVENTS, EVENTS - 1), None);
        assert_eq!(two.record(at(1), EVENTS, EVENTS - 1), Some(at(0)));
        let mut coverage = PollCoverage::default();
        assert_eq!(coverage.record(at(0), EVENTS, 2 * EVENTS), None);
        assert_eq!(
            coverage.record(at(1), EVENTS, 2 * EVENTS),
            None,
            "two events may be those of the waker and of the timer"
        );
        assert_eq!(coverage.record(at(2), EVENTS, 2 * EVENTS), Some(at(0)));
        // The next series begins again.
        assert_eq!(coverage.record(at(3), EVENTS, 2 * EVENTS), None);
        assert_eq!(coverage.record(at(4), 7, 2 * EVENTS), Some(at(4)));
        assert_eq!(coverage.record(at(5), EVENTS, EVENTS / 2), Some(at(5)));
    }
}
