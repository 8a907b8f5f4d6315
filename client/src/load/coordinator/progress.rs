//! Progress line on a terminal while a load runs.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::process_pool::Outcome;
use crate::load::stats::{
    counters::DatagramStats,
    format::{count, nanos, rate, time},
    rate::per_second,
};

/// Progress line; it disappears when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    line: ProgressBar,
    /// Text at the start of the line.
    prefix: String,
    start: Instant,
    /// Time of the last update, and the number of messages by then.
    last: (Instant, u64),
}

impl Progress {
    /// Creates a line on standard error, if that is a terminal, unless `is_quiet`.
    pub(crate) fn new(prefix: String, is_quiet: bool) -> Self {
        let target =
            if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let line = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            line.set_style(style);
        }
        let now = Instant::now();
        let progress = Self { line, prefix, start: now, last: (now, 0) };
        progress.line.set_message(format!("{}connecting", progress.prefix));
        progress
    }

    /// Updates the line.
    pub(crate) fn update(&mut self, outcome: &Outcome) {
        let now = Instant::now();
        let stats = &outcome.stats;
        if let Some(left) = outcome.starts_in {
            let left = left.as_secs_f64().ceil();
            self.line.set_message(format!("{}connected, starts in {left:.0} s", self.prefix));
            self.line.tick();
            self.last.0 = now;
            return;
        }
        let (last_update, last_count) = std::mem::replace(&mut self.last, (now, stats.messages));
        if last_count == 0 && stats.messages == 0 {
            self.start = self.start.max(last_update);
        }
        let interval = now.duration_since(last_update).as_secs_f64();
        let per_second = per_second(stats.messages - last_count, interval);
        let lost = match &stats.datagrams {
            DatagramStats { sent: 0, .. } => String::new(),
            datagrams => format!("lost {}   ", count(datagrams.lost())),
        };
        self.line.set_message(format!(
            "{}{:.1} s   {}   p99 {}   {}errors {}",
            self.prefix,
            now.duration_since(self.start).as_secs_f64(),
            rate(per_second),
            time(nanos(stats.latency.quantile(0.99))),
            lost,
            count(stats.error_count())
        ));
        self.line.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}
