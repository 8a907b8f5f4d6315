//! Schedule of an open loop: when each message is due.
//!
//! All processes together send at one even rate: the messages of the run are numbered, and process `p` of `n` sends
//! those whose number is `p` modulo `n`. Its channels share them in the same way. So no message waits for another to
//! return, and every time is calculated when it is needed: a client that is far behind stores nothing for the messages
//! that are due.

use std::{ops::Range, time::Duration};

use crate::load::ipc::worker_config::{Pace, SendingShare, Stop, WorkerConfig};

/// Numbers above this are not exact in `f64`: a hundred years at a million per second.
const MAX_EXACT: f64 = 4e15;

/// Messages of one process, with the times at which they are due.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// Messages per second, of all processes.
    rate: f64,
    process: u32,
    processes: u32,
    /// Channels of this process that send.
    channels: u64,
    /// Number of all messages of this process.
    total: u64,
    /// Number of messages of the warm-up.
    warmup: u64,
    is_warm: bool,
    /// Messages of the warm-up that each channel has dropped; empty before its end.
    dropped: Vec<Dropped>,
}

/// Messages that a channel has dropped at the end of the warm-up.
#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    /// Number of messages that the channel has sent before them.
    sent: u64,
    count: u64,
}

impl Schedule {
    /// Creates the schedule of a process; `None` for a closed loop, and for a process that sends nothing.
    ///
    /// A number of messages applies to those after the warm-up. None of these is due before
    /// [`end_warmup`](Self::end_warmup).
    pub(crate) fn new(config: &WorkerConfig) -> Option<Self> {
        let Pace::Rate(rate) = config.pace else { return None };
        let SendingShare { process, processes, channels } = config.sending_share()?;
        let channels = channels.into();
        let mut schedule = Self {
            rate,
            process,
            processes,
            channels,
            total: 0,
            warmup: 0,
            is_warm: config.warmup.is_zero(),
            dropped: Vec::new(),
        };
        schedule.warmup = schedule.count_before(config.warmup);
        schedule.total = match config.stop {
            Stop::After(time) => schedule.count_before(config.warmup.saturating_add(time)),
            Stop::Messages(each) => schedule.warmup.saturating_add(each.saturating_mul(channels)),
        };
        Some(schedule)
    }

    /// Returns the number of channels that send.
    pub(crate) fn channels(&self) -> u64 {
        self.channels
    }

    /// Returns how many messages of this process are due at `now`.
    pub(crate) fn due_count(&self, now: Duration) -> u64 {
        let limit = if self.is_warm { self.total } else { self.total.min(self.warmup) };
        self.count_before(now.saturating_add(Duration::from_nanos(1))).min(limit)
    }

    /// Returns how many of the first `count` messages of this process a channel has to send.
    pub(crate) fn channel_count(&self, count: u64, channel: u64) -> u64 {
        self.assigned(count, channel).saturating_sub(self.dropped(channel).count)
    }

    /// Ends the warm-up: the messages after it may be due.
    pub(crate) fn end_warmup(&mut self) {
        self.is_warm = true;
        self.dropped = (0..self.channels).map(|_| Dropped::default()).collect();
    }

    /// Drops the messages of the warm-up that a channel has not sent, after the end of the warm-up.
    pub(crate) fn drop_warmup(&mut self, channel: u64, sent: u64) {
        let count = self.assigned(self.warmup, channel).saturating_sub(sent);
        if let Some(dropped) = usize::try_from(channel).ok().and_then(|at| self.dropped.get_mut(at))
        {
            *dropped = Dropped { sent, count };
        }
    }

    /// Returns the time from the start at which message `number` of this process is due; `None` if there is none.
    pub(crate) fn due_at(&self, number: u64) -> Option<Duration> {
        (number < self.total).then(|| self.time(number))
    }

    /// Returns the time at which message `number` of those that a channel sends is due.
    pub(crate) fn channel_due_at(&self, channel: u64, number: u64) -> Duration {
        let dropped = self.dropped(channel);
        let number =
            if number < dropped.sent { number } else { number.saturating_add(dropped.count) };
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

    fn dropped(&self, channel: u64) -> Dropped {
        let dropped = usize::try_from(channel).ok().and_then(|at| self.dropped.get(at));
        dropped.copied().unwrap_or_default()
    }

    /// Returns how many of the first `count` messages of this process belong to a channel.
    fn assigned(&self, count: u64, channel: u64) -> u64 {
        count.saturating_add(self.channels - 1 - channel) / self.channels
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
