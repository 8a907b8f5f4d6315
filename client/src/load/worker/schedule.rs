//! When the messages of an open loop are due.
//!
//! All processes together send at one rate, evenly: the messages of the whole run are numbered, and
//! process `p` of `n` sends those whose number is `p` more than a multiple of `n`. So no message is
//! due because another has come back, and none waits for one.

use std::time::Duration;

/// The messages that are due of one process.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Messages a second, of all processes.
    rate: f64,
    process: u32,
    processes: u32,
    /// How many of this process's messages have been taken.
    taken: u64,
    /// How many there are.
    all: u64,
}

impl Schedule {
    /// For one of `processes` that send `rate` messages a second together; this one at most `all`.
    #[must_use]
    pub fn new(rate: f64, process: u32, processes: u32, all: u64) -> Self {
        Self { rate, process, processes, taken: 0, all }
    }

    /// When the next message is due, from the start; `None` if there is none.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        // A 53-bit mantissa counts the messages of a year at a million a second without error.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let number = self.taken as f64 * f64::from(self.processes) + f64::from(self.process);
        (self.taken < self.all).then(|| Duration::try_from_secs_f64(number / self.rate).ok())?
    }

    /// Takes a message that is due `now`: its number in this process, and when it was due.
    pub fn take(&mut self, now: Duration) -> Option<(u64, Duration)> {
        let due = self.next_due().filter(|due| *due <= now)?;
        self.taken += 1;
        Some((self.taken - 1, due))
    }

    /// There will be no more.
    pub fn stop(&mut self) {
        self.all = self.taken;
    }

    /// Whether there will be more.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.taken < self.all
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
    fn it_ends_when_all_are_taken_or_when_it_is_stopped() {
        let mut schedule = Schedule::new(1000.0, 0, 1, 2);
        assert_eq!(schedule.take(9 * MS), Some((0, Duration::ZERO)));
        assert!(schedule.has_more());
        assert_eq!(schedule.take(9 * MS), Some((1, MS)));
        assert_eq!((schedule.take(9 * MS), schedule.next_due()), (None, None));

        let mut stopped = Schedule::new(1000.0, 0, 1, u64::MAX);
        stopped.take(MS);
        stopped.stop();
        assert!(!stopped.has_more() && stopped.next_due().is_none());
    }
}
