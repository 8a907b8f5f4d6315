//! Whether a worker that has more to do than it can should give some of its connections to another.
//!
//! Connections are dealt evenly, but not all of them are busy, and those that are may all sit on one
//! worker. Every worker counts how long it has been busy; one that was busy most of the time, while
//! another had far less to do, gives away so much of its work that both would have the same. Who takes
//! it is the hand-over's to say, which counts connections and not what they do; with more than two
//! workers it may take another look or two until the load is even. Nothing is given that would only
//! move the trouble: a single connection cannot be divided.
//!
//! It knows neither connections nor clocks: it is told what they did.

use std::time::{Duration, Instant};

use crate::limits::{BALANCE_INTERVAL, SATURATED, SKEW};

/// One worker's view of all.
#[derive(Debug)]
pub(crate) struct Balance {
    /// How often it has looked.
    looks: u32,
    /// The last look.
    since: Instant,
    /// How long each worker had been busy by then, in all.
    busy: Box<[Duration]>,
}

/// What one connection has done between two looks: the turns that it had.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// After which look.
    look: u32,
    turns: u32,
}

/// Work that is to be given away, in connections: which of them, by what each has done.
#[derive(Debug)]
pub(crate) struct Surplus {
    /// What is left to give away, in the same unit as what connections have done.
    left: f64,
}

impl Balance {
    pub(crate) fn new(workers: usize, now: Instant) -> Self {
        Self { looks: 0, since: now, busy: vec![Duration::ZERO; workers].into() }
    }

    /// How often it has looked.
    pub(crate) fn looks(&self) -> u32 {
        self.looks
    }

    /// When it is time for another look.
    pub(crate) fn next(&self) -> Instant {
        self.since + BALANCE_INTERVAL
    }

    /// Whether it is time for another look.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.next()
    }

    /// Looks at how long the workers have been busy in all: the share of its work that the one at
    /// `seat` should give away, if any.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        seat: usize,
        busy: impl Iterator<Item = Duration>,
    ) -> Option<f64> {
        self.looks = self.looks.wrapping_add(1);
        let elapsed = now.duration_since(std::mem::replace(&mut self.since, now)).as_secs_f64();
        let mut mine = 0.0;
        let mut least = f64::INFINITY;
        for (at, (before, now)) in self.busy.iter_mut().zip(busy).enumerate() {
            let share = now.saturating_sub(std::mem::replace(before, now)).as_secs_f64() / elapsed;
            least = share.min(least);
            if at == seat {
                mine = share;
            }
        }
        (mine >= SATURATED && mine - least >= SKEW).then(|| (mine - least) / 2.0 / mine)
    }
}

impl Done {
    /// Another turn, after so many looks.
    pub(crate) fn turn(&mut self, looks: u32) {
        // Nobody goes through all connections at each look to say that it has begun.
        if std::mem::replace(&mut self.look, looks) != looks {
            self.turns = 0;
        }
        self.turns = self.turns.saturating_add(1);
    }

    /// The turns between the look that was the `looks`th and the one before it.
    pub(crate) fn before(self, looks: u32) -> u32 {
        if self.look == looks.wrapping_sub(1) { self.turns } else { 0 }
    }
}

impl Surplus {
    /// A share of what all connections together have done.
    pub(crate) fn new(share: f64, done: impl Iterator<Item = u32>) -> Self {
        Self { left: share * done.map(f64::from).sum::<f64>() }
    }

    /// Whether a connection that has done so much is part of it. One that would overshoot by more than
    /// it helps is not.
    pub(crate) fn takes(&mut self, done: u32) -> bool {
        let done = f64::from(done);
        let takes = done > 0.0 && done < 2.0 * self.left;
        if takes {
            self.left -= done;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(seat: usize, busy_percent: &[u32]) -> Option<f64> {
        let start = Instant::now();
        let mut balance = Balance::new(busy_percent.len(), start);
        let busy = busy_percent.iter().map(|&percent| BALANCE_INTERVAL * percent / 100);
        assert!(balance.is_due(start + BALANCE_INTERVAL));
        balance.judge(start + BALANCE_INTERVAL, seat, busy)
    }

    #[test]
    fn a_saturated_worker_gives_what_makes_it_and_an_idle_one_even() {
        assert_eq!(judge(0, &[100, 0]), Some(0.5));
        assert_eq!(judge(1, &[50, 100, 90]), Some(0.25));
    }

    #[test]
    fn nobody_gives_who_has_time_or_nobody_to_give_to() {
        assert_eq!(judge(0, &[60, 0]), None);
        assert_eq!(judge(0, &[100, 90]), None);
        assert_eq!(judge(1, &[100, 0]), None);
        assert_eq!(judge(0, &[100]), None);
    }

    #[test]
    fn only_what_was_done_since_the_last_look_counts() {
        let start = Instant::now();
        let mut balance = Balance::new(2, start);
        let busy = |one, other| [BALANCE_INTERVAL * one, BALANCE_INTERVAL * other].into_iter();
        assert_eq!(balance.judge(start + BALANCE_INTERVAL, 0, busy(1, 0)), Some(0.5));
        assert!(!balance.is_due(start + BALANCE_INTERVAL));
        assert_eq!(balance.judge(start + 2 * BALANCE_INTERVAL, 0, busy(2, 1)), None);
    }

    fn given(share: f64, done: &[u32]) -> Vec<u32> {
        let mut surplus = Surplus::new(share, done.iter().copied());
        done.iter().copied().filter(|&done| surplus.takes(done)).collect()
    }

    #[test]
    fn turns_count_for_the_look_behind_them_only() {
        let mut done = Done::default();
        done.turn(0);
        done.turn(0);
        assert_eq!((done.before(1), done.before(2)), (2, 0));
        done.turn(1);
        assert_eq!((done.before(1), done.before(2), done.before(3)), (0, 1, 0));
    }

    #[test]
    fn the_surplus_is_made_up_of_whole_connections() {
        assert_eq!(given(0.5, &[10, 0, 10, 10, 10]), [10, 10]);
        assert_eq!(given(0.3, &[50, 50]), [50]);
        assert_eq!(given(0.5, &[100]), [0; 0], "one connection cannot be divided");
        assert_eq!(given(0.5, &[97, 1, 1, 1]), [97]);
    }
}
