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
    /// Time of the next report.
    pub(super) next_report: Duration,
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
            next_report: REPORT_INTERVAL,
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
