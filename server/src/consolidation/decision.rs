//! The rule by which fewer workers serve.
//!
//! Only trying shows whether fewer workers help. Where the threads of other programs hold the cores, the remaining workers have a smaller
//! share of the cores, and wait as long for each message as before. If they serve fewer messages, or wait more than half as long for
//! each, all serve again, and the next try comes only after a while. If it has helped, all serve again when the load changes, and after
//! the same while in any case, since the machine may have changed.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::run_times::RunTimes;
use crate::config::limits::{BALANCE_INTERVAL, CONSOLIDATION, CONSOLIDATION_TRY, CONTENDED};

/// Tolerance for the cores in use: the times of the workers are not read at one moment, and the kernel updates that of a thread which
/// runs only now and then.
const NOISE: f64 = 0.05;

/// Share of its time that a worker runs or waits, from which it is busy.
const BUSY: f64 = 0.1;

/// A try serves as many messages as before if it reaches this share of their rate.
const AS_MANY: f64 = 0.9;

/// Relative difference of the messages per second from which the load counts as changed.
const CHANGED: f64 = 0.25;

/// Time until workers that were suspended have their part of the load again: the next check of the others, and one interval.
const SETTLING: Duration = BALANCE_INTERVAL.saturating_mul(2);

/// The number of workers that serve, and why.
#[derive(Debug)]
pub(super) struct Decision {
    workers: usize,
    state: State,
    last: Totals,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// All workers serve, at least until this time.
    All { until: Instant },
    /// Fewer workers serve, to try whether that helps.
    Trying { before: Activity, until: Instant },
    /// Fewer workers serve, which has helped. `baseline` is their activity at the end of the try.
    Fewer { baseline: Activity, until: Instant },
}

/// What the workers have done so far.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) at: Instant,
    /// Times of each worker.
    pub(super) times: Vec<RunTimes>,
    /// Messages that all workers have received.
    pub(super) messages: u64,
}

/// What the workers did between two checks.
#[derive(Clone, Copy, Debug)]
struct Activity {
    /// Number of workers that were busy.
    busy: usize,
    /// Cores that they used.
    running: f64,
    /// Time for which they waited for cores, per second.
    waiting: f64,
    /// Messages per second.
    messages: f64,
    seconds: f64,
}

/// Change of the number of workers that serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// So many of all workers serve from now on.
    Fewer { serving: usize, workers: usize },
    /// All of these workers serve again.
    All { workers: usize, reason: Reason },
}

/// Reason for which all workers serve again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Waiting,
    FewerMessages,
    OtherLoad,
    Time,
}

impl Decision {
    pub(super) fn new(workers: usize, now: Instant) -> Self {
        let last = Totals { at: now, times: vec![RunTimes::default(); workers], messages: 0 };
        Self { workers, state: State::All { until: now }, last }
    }

    /// Returns whether the next check is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.last.at + BALANCE_INTERVAL
    }

    /// Decides by what the workers have done since the last check. Returns a change of the number of them that serve.
    pub(super) fn check(&mut self, totals: Totals) -> Option<Change> {
        let now = totals.at;
        let activity = Activity::between(&self.last, &totals);
        self.last = totals;
        let (reason, pause) = match self.state {
            State::All { until } => {
                let serving = activity.fewer_workers().filter(|_| now >= until)?;
                let until = now + CONSOLIDATION_TRY;
                self.state = State::Trying { before: activity, until };
                return Some(Change::Fewer { serving, workers: self.workers });
            }
            State::Trying { .. } if activity.busy == 0 => (Reason::OtherLoad, SETTLING),
            State::Trying { before, until } => {
                let Some(reason) = activity.is_worse_than(&before) else {
                    let until = now + CONSOLIDATION;
                    self.state = State::Fewer { baseline: activity, until };
                    return None;
                };
                if now < until {
                    // Many connections take more than one interval to move.
                    return None;
                }
                (reason, CONSOLIDATION)
            }
            State::Fewer { baseline, .. } if activity.differs_from(&baseline) => {
                (Reason::OtherLoad, SETTLING)
            }
            State::Fewer { until, .. } if now >= until => (Reason::Time, SETTLING),
            State::Fewer { .. } => return None,
        };
        self.state = State::All { until: now + pause };
        Some(Change::All { workers: self.workers, reason })
    }
}

impl Change {
    /// Returns the number of workers that serve from now on.
    pub(crate) fn serving(self) -> usize {
        match self {
            Self::Fewer { serving, .. } => serving,
            Self::All { workers, .. } => workers,
        }
    }
}

impl Activity {
    fn between(from: &Totals, to: &Totals) -> Self {
        let seconds = to.at.duration_since(from.at).as_secs_f64();
        let share = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() / seconds;
        let times =
            from.times.iter().zip(&to.times).map(|(from, to)| {
                (share(from.running, to.running), share(from.waiting, to.waiting))
            });
        let busy: Vec<_> = times.filter(|(running, waiting)| running + waiting >= BUSY).collect();
        Self {
            busy: busy.len(),
            running: busy.iter().map(|(running, _)| running).sum(),
            waiting: busy.iter().map(|(_, waiting)| waiting).sum(),
            messages: float(to.messages.saturating_sub(from.messages)) / seconds,
            seconds,
        }
    }

    /// Returns the number of workers that could do all of the work, if they compete for cores and are more.
    fn fewer_workers(&self) -> Option<usize> {
        let enough = (1..self.busy).find(|enough| self.running <= float(*enough) + NOISE)?;
        (self.waiting >= CONTENDED * float(self.busy)).then_some(enough)
    }

    /// Returns why fewer workers do not help; `None` if they serve as many messages as before, and wait for each at most half as long.
    fn is_worse_than(&self, before: &Self) -> Option<Reason> {
        if self.messages < AS_MANY * before.messages - before.chance() {
            Some(Reason::FewerMessages)
        } else if 2.0 * self.waiting * before.messages >= before.waiting * self.messages {
            Some(Reason::Waiting)
        } else {
            None
        }
    }

    /// Returns whether the load has changed.
    fn differs_from(&self, baseline: &Self) -> bool {
        let difference = (self.messages - baseline.messages).abs();
        difference > CHANGED * baseline.messages + baseline.chance()
    }

    /// Returns by how much the messages per second may differ by chance: three standard deviations, if they are independent.
    fn chance(&self) -> f64 {
        3.0 * (self.messages / self.seconds).sqrt()
    }
}

impl fmt::Display for Reason {
    /// Writes the reason, as the log has it behind "since".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "those that serve still wait for cores",
            Self::FewerMessages => "fewer serve fewer messages",
            Self::OtherLoad => "the load has changed",
            Self::Time => "it is time to see whether fewer still help",
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers, and what they have done.
    struct Workers {
        decision: Decision,
        now: Instant,
        times: Vec<RunTimes>,
        messages: u64,
    }

    impl Workers {
        fn new(count: usize) -> Self {
            let now = Instant::now();
            let times = vec![RunTimes::default(); count];
            Self { decision: Decision::new(count, now), now, times, messages: 0 }
        }

        /// Lets the workers run and wait for these percentages of the time until the next check, which it returns.
        fn check(&mut self, percent: &[(u32, u32)]) -> Option<Change> {
            self.check_with_messages(percent, 1000)
        }

        /// Does the same with this number of messages.
        fn check_with_messages(&mut self, percent: &[(u32, u32)], messages: u64) -> Option<Change> {
            self.now += BALANCE_INTERVAL;
            self.messages += messages;
            for (times, &(running, waiting)) in self.times.iter_mut().zip(percent) {
                times.running += BALANCE_INTERVAL * running / 100;
                times.waiting += BALANCE_INTERVAL * waiting / 100;
            }
            assert!(self.decision.is_due(self.now));
            let (at, times, messages) = (self.now, self.times.clone(), self.messages);
            self.decision.check(Totals { at, times, messages })
        }

        /// Returns the first change, and after how many such checks.
        fn until_change(&mut self, percent: &[(u32, u32)]) -> (u128, Change) {
            let changes = (1..1000).find_map(|checks| Some((checks, self.check(percent)?)));
            changes.expect("it changes")
        }
    }

    /// Two workers on one core.
    const SHARED_CORE: [(u32, u32); 2] = [(50, 50), (50, 50)];

    const ONE_OF_TWO: Option<Change> = Some(Change::Fewer { serving: 1, workers: 2 });

    fn all_of_two(reason: Reason) -> Change {
        Change::All { workers: 2, reason }
    }

    /// Checks of [`CONSOLIDATION`].
    fn while_away() -> u128 {
        CONSOLIDATION.as_millis() / BALANCE_INTERVAL.as_millis()
    }

    fn first(percent: &[(u32, u32)]) -> Option<Change> {
        Workers::new(percent.len()).check(percent)
    }

    #[test]
    fn as_many_workers_serve_as_have_cores() {
        assert_eq!(first(&SHARED_CORE), ONE_OF_TWO);
        assert_eq!(first(&[(100, 0), (4, 96)]), ONE_OF_TWO);
        let fewer = |serving, workers| Some(Change::Fewer { serving, workers });
        assert_eq!(first(&[(33, 67); 3]), fewer(1, 3));
        assert_eq!(first(&[(50, 50); 4]), fewer(2, 4));
        assert_eq!(first(&[(67, 33); 4]), fewer(3, 4));
        assert_eq!(first(&[(0, 0), (50, 50), (50, 50), (0, 0)]), fewer(1, 4), "two are idle");
    }

    #[test]
    fn workers_that_do_not_compete_or_need_their_cores_serve() {
        assert_eq!(first(&[(40, 5), (40, 5)]), None, "they hardly wait");
        assert_eq!(first(&[(70, 30), (70, 30)]), None, "one could not do the work of both");
        assert_eq!(first(&[(50, 50), (0, 0)]), None, "one is idle");
        assert_eq!(first(&[(0, 0), (0, 0)]), None);
    }

    #[test]
    fn all_serve_again_if_fewer_wait_as_before_and_the_next_try_comes_after_a_while() {
        let mut workers = Workers::new(2);
        assert_eq!(workers.check(&SHARED_CORE), ONE_OF_TWO);
        // Another program has half of each core.
        let waits = [(50, 50), (0, 0)];
        assert_eq!(
            workers.check_with_messages(&waits, 930),
            None,
            "they may still move connections"
        );
        assert_eq!(workers.check_with_messages(&waits, 930), Some(all_of_two(Reason::Waiting)));
        assert_eq!(workers.until_change(&SHARED_CORE), (while_away(), ONE_OF_TWO.unwrap()));
    }

    #[test]
    fn all_serve_again_if_fewer_serve_fewer_messages() {
        for (messages, change) in [(750, Some(all_of_two(Reason::FewerMessages))), (850, None)] {
            let mut workers = Workers::new(2);
            assert_eq!(workers.check(&SHARED_CORE), ONE_OF_TWO);
            let _ = workers.check_with_messages(&[(100, 0), (0, 0)], messages);
            assert_eq!(workers.check_with_messages(&[(100, 0), (0, 0)], messages), change);
        }
    }

    /// The remaining worker and the client share a core.
    #[test]
    fn a_try_that_halves_the_wait_for_each_message_has_helped() {
        let mut workers = Workers::new(2);
        assert_eq!(workers.check(&[(22, 73), (24, 71)]), ONE_OF_TWO);
        assert_eq!(workers.check(&[(50, 49), (0, 0)]), None);
        assert_eq!(workers.check(&[(50, 49), (0, 0)]), None);
        assert_eq!(workers.check(&[(50, 49), (0, 0)]), None, "it is no longer a try");
    }

    #[test]
    fn a_load_that_ends_during_a_try_delays_no_further_one() {
        let mut workers = Workers::new(2);
        assert_eq!(workers.check(&SHARED_CORE), ONE_OF_TWO);
        let change = workers.check_with_messages(&[(0, 0), (0, 0)], 0);
        assert_eq!(change, Some(all_of_two(Reason::OtherLoad)));
        assert_eq!(workers.until_change(&SHARED_CORE), (2, ONE_OF_TWO.unwrap()));
    }

    #[test]
    fn all_serve_again_if_the_load_changes() {
        for (messages, changes) in [(700, false), (600, true), (1300, false), (1400, true)] {
            let mut workers = Workers::new(2);
            assert_eq!(workers.check(&SHARED_CORE), ONE_OF_TWO);
            assert_eq!(workers.check(&[(99, 1), (0, 0)]), None);
            let change = workers.check_with_messages(&[(100, 0), (0, 0)], messages);
            assert_eq!(change, changes.then_some(all_of_two(Reason::OtherLoad)), "{messages}");
        }
    }

    #[test]
    fn fewer_workers_that_help_serve_for_a_while() {
        let mut workers = Workers::new(2);
        assert_eq!(workers.check(&SHARED_CORE), ONE_OF_TWO);
        assert_eq!(workers.check(&[(99, 1), (0, 0)]), None);
        // From here on, waits have another cause.
        let change = workers.until_change(&[(60, 40), (0, 0)]);
        assert_eq!(change, (while_away(), all_of_two(Reason::Time)));
        assert_eq!(workers.check(&SHARED_CORE), None, "the connections move back");
        assert_eq!(workers.check(&SHARED_CORE), ONE_OF_TWO);
    }

    #[test]
    fn a_stop_of_the_process_is_no_contention() {
        let mut workers = Workers::new(2);
        workers.now += Duration::from_hours(1);
        assert_eq!(workers.check(&SHARED_CORE), None);
    }
}
