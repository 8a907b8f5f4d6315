//! The line that lives while a load runs: on a terminal, and nowhere else.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::stats::{
    counters::{Datagrams, Tally},
    format::{count, rate, time},
};

/// The line. It is gone when this is dropped.
#[derive(Debug)]
pub struct Progress {
    line: ProgressBar,
    /// What the line begins with.
    name: String,
    start: Instant,
    /// When the line last changed, and how many messages there were then.
    last: (Instant, u64),
}

impl Progress {
    /// On standard error, if that is a terminal and `quiet` is not wished.
    #[must_use]
    pub fn new(name: String, quiet: bool) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let line = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            line.set_style(style);
        }
        let now = Instant::now();
        let progress = Self { line, name, start: now, last: (now, 0) };
        progress.line.set_message(format!("{}connecting", progress.name));
        progress
    }

    /// Shows what has been counted by now.
    pub fn show(&mut self, tally: &Tally) {
        let now = Instant::now();
        let (before, counted) = std::mem::replace(&mut self.last, (now, tally.messages));
        if counted == 0 && tally.messages == 0 {
            self.start = self.start.max(before);
        }
        let per_second = per_second(tally.messages - counted, now.duration_since(before));
        let p99 = u64::try_from(tally.latency.quantile(0.99).as_nanos()).unwrap_or(u64::MAX);
        let lost = match &tally.datagrams {
            Datagrams { sent: 0, .. } => String::new(),
            of => format!("lost {}   ", count(of.given_up - of.late)),
        };
        self.line.set_message(format!(
            "{}{:.1} s   {}   p99 {}   {}errors {}",
            self.name,
            now.duration_since(self.start).as_secs_f64(),
            rate(per_second),
            time(p99),
            lost,
            count(tally.all_errors())
        ));
        self.line.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn per_second(messages: u64, time: Duration) -> f64 {
    messages as f64 / time.as_secs_f64().max(f64::EPSILON)
}
