//! Busy-polling: an idle worker may poll for a moment before it sleeps.
//!
//! A sleep and a wakeup cost more than an echo. Where the next bytes arrive within microseconds, as from a
//! single client that waits for each reply, polling is cheaper than sleeping, and much faster. Elsewhere it
//! wastes CPU time, and where threads outnumber cores it takes the time of the clients that would send the
//! next bytes. Only trying shows which case it is, because a client that is answered sooner sends sooner. So a
//! worker busy-polls, continues while that finds events, and rests for some iterations after a miss: twice as
//! many after each miss, half as many after each hit. It yields its core between two polls, and stops when
//! another thread has held the core for long and no event has arrived.
//!
//! This module knows neither polls nor clocks.

use std::time::Duration;

use crate::config::{
    Spin,
    limits::{SPIN, SPIN_LONGEST_REST, SPIN_PREEMPTED, SPIN_REST},
};

/// One worker's decision whether to busy-poll.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    spin: Spin,
    /// Iterations until the next busy-poll.
    resting: u32,
    /// Iterations to rest after the next miss.
    rest: u32,
}

impl BusyPoll {
    pub(crate) fn new(spin: Spin) -> Self {
        Self { spin, resting: 0, rest: SPIN_REST }
    }

    pub(crate) fn begin_iteration(&mut self) {
        self.resting = self.resting.saturating_sub(1);
    }

    /// Returns how long to busy-poll before sleeping. `None`: not at all.
    pub(crate) fn budget(&self) -> Option<Duration> {
        match self.spin {
            Spin::Auto => (self.resting == 0).then_some(SPIN),
            Spin::Off => None,
            Spin::For(time) => Some(time),
        }
    }

    /// Records a busy-poll that found events.
    pub(crate) fn record_hit(&mut self) {
        self.rest = (self.rest / 2).max(SPIN_REST);
    }

    /// Records a busy-poll that found no event.
    pub(crate) fn record_miss(&mut self) {
        self.resting = self.rest;
        self.rest = (self.rest * 2).min(SPIN_LONGEST_REST);
    }

    /// Returns whether a poll that took this long was interrupted by another thread on this core, which ends
    /// the busy-poll.
    pub(crate) fn was_preempted(&self, elapsed: Duration) -> bool {
        self.spin == Spin::Auto && elapsed >= SPIN_PREEMPTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(1);

    /// Returns the number of iterations until the next busy-poll.
    fn rests(busy_poll: &mut BusyPoll) -> u32 {
        let mut iterations = 0;
        while busy_poll.budget().is_none() {
            busy_poll.begin_iteration();
            iterations += 1;
        }
        iterations
    }

    #[test]
    fn busy_polls_while_it_finds_events() {
        let mut busy_poll = BusyPoll::new(Spin::Auto);
        for _ in 0..1000 {
            assert_eq!(busy_poll.budget(), Some(SPIN));
            busy_poll.record_hit();
            busy_poll.begin_iteration();
        }
    }

    #[test]
    fn rests_twice_as_long_after_each_miss_and_half_as_long_after_a_hit() {
        let mut busy_poll = BusyPoll::new(Spin::Auto);
        assert!(!busy_poll.was_preempted(QUICK) && busy_poll.was_preempted(SPIN_PREEMPTED));
        for rest in [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096] {
            busy_poll.record_miss();
            assert_eq!(rests(&mut busy_poll), rest);
        }
        busy_poll.record_hit();
        busy_poll.record_miss();
        assert_eq!(rests(&mut busy_poll), SPIN_LONGEST_REST / 2);
    }

    #[test]
    fn off_never_busy_polls_and_a_duration_always_does() {
        assert_eq!(BusyPoll::new(Spin::Off).budget(), None);
        let mut always = BusyPoll::new(Spin::For(Duration::from_secs(1)));
        always.record_miss();
        assert_eq!(always.budget(), Some(Duration::from_secs(1)));
        assert!(!always.was_preempted(SPIN_PREEMPTED));
    }
}
