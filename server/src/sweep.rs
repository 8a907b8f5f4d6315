//! Up to when everything has been heard that the poll had to say.
//!
//! A poll tells of so many events at most. If there were more, those who were not told of must not be
//! taken for silent: their bytes may have been waiting for long, as after a stop of the process. Nor can
//! a worker wait for a poll that has room to spare, which one with thousands of busy connections may
//! never see. But who has been told of queues up behind who has not (`epoll(7)`), so polls that
//! together had room for every connection have told all that there was to hear when they began.

use std::time::Instant;

use crate::limits::EVENTS;

/// Polls in a row that had more to say than there was room for.
#[derive(Debug, Default)]
pub(crate) struct Sweep(Option<(Instant, usize)>);

impl Sweep {
    /// A poll that was begun at `begun`, or behind it, has told of so many events: up to when all has been
    /// heard, if that has changed.
    pub(crate) fn heard(
        &mut self,
        begun: Instant,
        events: usize,
        connections: usize,
    ) -> Option<Instant> {
        if events < EVENTS {
            self.0 = None;
            return Some(begun);
        }
        let (first, told) = self.0.get_or_insert((begun, 0));
        *told += events;
        // Besides the connections there is the waker.
        let all_told = (*told > connections).then_some(*first);
        if all_told.is_some() {
            self.0 = None;
        }
        all_told
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_poll_with_room_to_spare_has_told_all() {
        let now = Instant::now();
        let mut sweep = Sweep::default();
        assert_eq!(sweep.heard(now, 0, 0), Some(now));
        assert_eq!(sweep.heard(now, EVENTS - 1, 5 * EVENTS), Some(now));
    }

    #[test]
    fn full_polls_have_told_all_of_when_they_began_once_there_was_room_for_everyone() {
        let start = Instant::now();
        let at = |polls| start + Duration::from_millis(polls);
        let mut sweep = Sweep::default();
        assert_eq!(sweep.heard(at(0), EVENTS, 2 * EVENTS), None);
        assert_eq!(sweep.heard(at(1), EVENTS, 2 * EVENTS), None, "one may have been the waker");
        assert_eq!(sweep.heard(at(2), EVENTS, 2 * EVENTS), Some(at(0)));
        // And from the beginning.
        assert_eq!(sweep.heard(at(3), EVENTS, 2 * EVENTS), None);
        assert_eq!(sweep.heard(at(4), 7, 2 * EVENTS), Some(at(4)));
        assert_eq!(sweep.heard(at(5), EVENTS, EVENTS / 2), Some(at(5)));
    }
}
