//! Schedule of an open loop: when each message is due.
//!
//! All processes together send at one even rate: the messages of the run are numbered, and process `p` of `n` sends
//! those whose number is `p` modulo `n`. Its channels share them in the same way. So no message waits for another to
//! return, and every time is calculated when it is needed: a client that is far behind stores nothing for the messages
//! that are due.

use std::{ops::Range, time::Duration};

use crate::load::ipc::worker_config::{Pace, Stop, WorkerConfig};

/// Numbers above this are not exact in `f64`: a hundred years at a million per second.
const MAX_EXACT: f64 = 4e15;

/// Messages of one process, with the times at which they are due.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// Messages per second, of all processes.
    rate: f64,
    process: u32,
    processes: u32,
    /// Channels of this process.
    channels: u64,
    /// Number of all messages of this process.
    total: u64,
}

impl Schedule {
    /// Creates the schedule of a process; `None` for a closed loop.
    ///
    /// A number of messages applies to those after the warm-up.
    pub(crate) fn new(config: &WorkerConfig) -> Option<Self> {
        let Pace::Rate(rate) = config.pace else { return None };
        let WorkerConfig { process, processes, .. } = *config;
        let channels = config.connections.into();
        let mut schedule = Self { rate, process, processes, channels, total: u64::MAX };
        schedule.total = match config.stop {
            Stop::After(time) => schedule.count_before(config.warmup.saturating_add(time)),
            Stop::Messages(each) => {
                schedule.count_before(config.warmup).saturating_add(each.saturating_mul(channels))
            }
        };
        Some(schedule)
    }

    /// Returns how many messages of this process are due at `now`.
    pub(crate) fn due_count(&self, now: Duration) -> u64 {
        self.count_before(now.saturating_add(Duration::from_nanos(1))).min(self.total)
    }

    /// Returns how many of the first `count` messages of this process belong to a channel.
    pub(crate) fn channel_count(&self, count: u64, channel: u64) -> u64 {
        (count + self.channels - 1 - channel) / self.channels
    }

    /// Returns the time from the start at which message `number` of this process is due; `None` if there is none.
    pub(crate) fn due_at(&self, number: u64) -> Option<Duration> {
        (number < self.total).then(|| self.time(number))
    }

    /// Returns the time at which message `number` of a channel is due.
    pub(crate) fn channel_due_at(&self, channel: u64, number: u64) -> Duration {
        self.time(number.saturating_mul(self.channels).saturating_add(channel))
    }

    /// Returns the first of these messages of a channel that is due at `time` or later, or their end.
    pub(crate) fn first_from(&self, channel: u64, numbers: Range<u64>, time: Duration) -> u64 {
        let Range { start: mut first, mut end } = numbers;
        while first < end {
            let middle = first + (end - first) / 2;
            if self.channel_due_at(channel, middle) < time {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        end.max(first)
    }

    /// Removes the messages that are not due at `now`.
    pub(crate) fn stop(&mut self, now: Duration) {
        self.total = self.due_count(now);
    }

    #[expect(clippy::cast_precision_loss, reason = "see `MAX_EXACT`")]
    fn time(&self, number: u64) -> Duration {
        let number = number as f64 * f64::from(self.processes) + f64::from(self.process);
        Duration::try_from_secs_f64(number / self.rate).unwrap_or(Duration::MAX)
    }

    /// Returns the number of messages that are due before `time`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturates"
    )]
    fn count_before(&self, time: Duration) -> u64 {
        let first = f64::from(self.process);
        let count = (time.as_secs_f64() * self.rate - first) / f64::from(self.processes);
        let mut count_before = count.ceil().max(0.0) as u64;
        if count > MAX_EXACT {
            return count_before;
        }
        // The rounding of both calculations may differ.
        while count_before > 0 && self.time(count_before - 1) >= time {
            count_before -= 1;
        }
        while self.time(count_before) < time {
            count_before += 1;
        }
        count_before
    }
}

#[cfg(test)]
mod tests;
