//! Schedule of an open loop: when each message is due.
//!
//! All processes together send at one even rate: the messages of the run are numbered, and process `p` of
//! `n` sends those whose number is `p` modulo `n`. So no message waits for another to return.

use std::time::Duration;

/// Messages of one process, with the times at which they are due.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// Messages per second, of all processes.
    rate: f64,
    process: u32,
    processes: u32,
    /// Number of this process's messages that have been taken.
    taken: u64,
    /// Number of all its messages.
    total: u64,
}

impl Schedule {
    /// Creates the schedule of one of `processes` that together send `rate` messages per second; this one
    /// sends at most `total`.
    pub(super) fn new(rate: f64, process: u32, processes: u32, total: u64) -> Self {
        Self { rate, process, processes, taken: 0, total }
    }

    /// Returns the time from the start at which the next message is due; `None` if there is none.
    pub(super) fn next_due(&self) -> Option<Duration> {
        // A 53-bit mantissa counts the messages of a year at a million per second without error.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let number = self.taken as f64 * f64::from(self.processes) + f64::from(self.process);
        (self.taken < self.total).then(|| Duration::try_from_secs_f64(number / self.rate).ok())?
    }

    /// Takes a message that is due at `now`; returns its number in this process, and the time at which it
    /// was due.
    pub(super) fn take(&mut self, now: Duration) -> Option<(u64, Duration)> {
        let due = self.next_due().filter(|due| *due <= now)?;
        self.taken += 1;
        Some((self.taken - 1, due))
    }

    /// Removes all messages that have not been taken.
    pub(super) fn stop(&mut self) {
        self.total = self.taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn processes_take_turns_at_one_rate() {
        let mut first = Schedule::new(1000.0, 0, 2, 10);
        let mut second = Schedule::new(1000.0, 1, 2, 10);
        let due = |schedule: &mut Schedule| {
            std::iter::from_fn(|| schedule.take(5 * MS)).map(|(_, due)| due).collect::<Vec<_>>()
        };
        assert_eq!(due(&mut first), [Duration::ZERO, 2 * MS, 4 * MS]);
        assert_eq!(due(&mut second), [MS, 3 * MS, 5 * MS]);
        assert_eq!(first.next_due(), Some(6 * MS));
    }

    #[test]
    fn ends_when_all_messages_are_taken_or_when_it_is_stopped() {
        let mut schedule = Schedule::new(1000.0, 0, 1, 2);
        assert_eq!(schedule.take(9 * MS), Some((0, Duration::ZERO)));
        assert!(schedule.next_due().is_some());
        assert_eq!(schedule.take(9 * MS), Some((1, MS)));
        assert_eq!((schedule.take(9 * MS), schedule.next_due()), (None, None));

        let mut stopped = Schedule::new(1000.0, 0, 1, u64::MAX);
        stopped.take(MS);
        stopped.stop();
        assert!(stopped.take(Duration::MAX).is_none() && stopped.next_due().is_none());
    }
}
