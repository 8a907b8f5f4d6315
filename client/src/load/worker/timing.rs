//! Timing of a run: the warm-up, the end, the regular tasks, and the CPU time.

use std::time::Duration;

use crate::{
    load::{
        host::cpu::cpu_time,
        ipc::{
            message::REPORT_INTERVAL,
            worker_config::{Stop, WorkerConfig},
        },
    },
    tls,
};

/// Interval at which the time limits of the channels are checked.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Times of a run, from its start.
pub(super) struct Timing {
    warmup: Duration,
    is_warm: bool,
    /// CPU time at the end of the warm-up.
    cpu_at_warmup: Duration,
    /// CPU time of TLS at the end of the warm-up.
    tls_cpu_at_warmup: Duration,
    /// End of the run, unless it ends by the number of messages.
    end: Duration,
    /// Limit for the messages that are still due after the end.
    timeout: Duration,
    /// Time at which those that are unsent are given up.
    give_up: Option<Duration>,
    /// Time of the last report.
    last_report: Duration,
    /// Time of the next report.
    next_report: Duration,
    /// Time of the next check of the time limits.
    pub(super) next_check: Duration,
    /// Time since which there has been no work, and the CPU time by then. The process waits at the end for
    /// messages that are lost, and that wait is no work.
    idle_since: Option<(Duration, Duration)>,
}

impl Timing {
    pub(super) fn new(config: &WorkerConfig) -> Self {
        Self {
            warmup: config.warmup,
            is_warm: config.warmup.is_zero(),
            cpu_at_warmup: cpu_time(),
            tls_cpu_at_warmup: tls::cpu_time(),
            end: match config.stop {
                Stop::After(duration) => config.warmup.saturating_add(duration),
                Stop::Messages(_) => Duration::MAX,
            },
            timeout: config.timeout,
            give_up: None,
            last_report: Duration::ZERO,
            next_report: next_report(config.warmup, Duration::ZERO),
            next_check: CHECK_INTERVAL,
            idle_since: None,
        }
    }

    /// Ends the warm-up at its time; returns `true` once, when it ends.
    pub(super) fn take_warmup_end(&mut self, now: Duration) -> bool {
        let ends = !self.is_warm && now >= self.warmup;
        if ends {
            (self.is_warm, self.cpu_at_warmup) = (true, cpu_time());
            self.tls_cpu_at_warmup = tls::cpu_time();
        }
        ends
    }

    /// Returns `true` if the run has reached its end.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        now >= self.end
    }

    /// Gives up what is unsent after the time limit.
    pub(super) fn set_give_up(&mut self, now: Duration) {
        self.give_up = Some(now.saturating_add(self.timeout));
    }

    /// Returns `true` once, when what is unsent has to be given up.
    pub(super) fn take_give_up(&mut self, now: Duration) -> bool {
        self.give_up.take_if(|time| *time <= now).is_some()
    }

    /// Returns `true` once, when a report is due. Reports are due at full intervals from the end of the warm-up, so that each
    /// is about a part of one second.
    pub(super) fn take_report(&mut self, now: Duration) -> bool {
        let is_due = now >= self.next_report;
        if is_due {
            self.next_report = next_report(self.warmup, now);
        }
        is_due
    }

    /// Starts the next report; returns the time of the last one from the end of the warm-up, or `None` if the report is about the
    /// warm-up.
    pub(super) fn start_report(&mut self, now: Duration, has_messages: bool) -> Option<Duration> {
        let last = std::mem::replace(&mut self.last_report, now);
        measured_since(last, self.warmup, has_messages)
    }

    /// Returns the time of the next task.
    pub(super) fn next_wakeup(&self, now: Duration) -> Duration {
        self.next_report.min(self.next_check).min(self.end.max(now))
    }

    /// Records whether there was work.
    pub(super) fn mark_idle(&mut self, is_idle: bool, now: Duration) {
        if is_idle {
            self.idle_since.get_or_insert_with(|| (now, cpu_time()));
        } else {
            self.idle_since = None;
        }
    }

    /// Returns the CPU time that TLS took since the warm-up.
    pub(super) fn tls_cpu(&self) -> Duration {
        tls::cpu_time().saturating_sub(self.tls_cpu_at_warmup)
    }

    /// Returns the time at which the work ended, and the CPU time since the warm-up.
    pub(super) fn work(&self, now: Duration) -> (Duration, Duration) {
        let (end, cpu) = self.idle_since.unwrap_or_else(|| (now, cpu_time()));
        (end, cpu.saturating_sub(self.cpu_at_warmup))
    }
}

/// Returns the time from which on a report counts, from the end of the warm-up; `None` if it is about the warm-up. The report at its end
/// is, unless a message has been sent after the end and has returned before the report: messages of the warm-up are not counted.
fn measured_since(last: Duration, warmup: Duration, has_messages: bool) -> Option<Duration> {
    last.checked_sub(warmup).or_else(|| has_messages.then_some(Duration::ZERO))
}

/// Returns the time of the first report after this time.
fn next_report(warmup: Duration, now: Duration) -> Duration {
    let phase = warmup.as_nanos() % REPORT_INTERVAL.as_nanos();
    let now_ns = now.as_nanos();
    let since_last = (now_ns + REPORT_INTERVAL.as_nanos() - phase) % REPORT_INTERVAL.as_nanos();
    let left = REPORT_INTERVAL.as_nanos() - since_last;
    now + Duration::from_nanos(u64::try_from(left).expect("at most an interval"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_due_at_full_intervals_from_the_end_of_the_warmup() {
        let ms = Duration::from_millis;
        for (warmup, now, next) in [
            (0, 0, 500),
            (0, 499, 500),
            (0, 500, 1000),
            (0, 3777, 4000),
            (200, 0, 200),
            (200, 200, 700),
            (1300, 0, 300),
            (1300, 1299, 1300),
        ] {
            assert_eq!(next_report(ms(warmup), ms(now)), ms(next), "{warmup} {now}");
        }
    }

    #[test]
    fn a_report_that_began_in_the_warmup_counts_from_its_end_if_it_has_messages() {
        let ms = Duration::from_millis;
        for (last, has_messages, since) in [
            (500, false, None),
            (500, true, Some(0)),
            (1000, false, Some(0)),
            (1500, false, Some(500)),
            (1500, true, Some(500)),
        ] {
            assert_eq!(measured_since(ms(last), ms(1000), has_messages), since.map(ms), "{last}");
        }
    }
}
