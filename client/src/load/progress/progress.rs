//! Progress of a load: the text of its line, and the display that shows it.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::live::LiveChart;
use crate::load::{
    coordinator::process_pool::Outcome,
    stats::{
        counters::DatagramStats,
        format::{count, nanos, rate, time},
        rate::per_second,
    },
};

/// What a terminal shows while a load runs. Anything else than a terminal gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Display {
    /// Nothing.
    None,
    /// A line, which disappears at the end.
    Line,
    /// A chart, which stays above the report.
    Chart,
}

/// Progress of one load. What it shows of a load without a chart disappears when this is dropped.
#[derive(Debug)]
pub(in crate::load) struct Progress {
    shown: Shown,
    /// Text at the start of the line.
    prefix: String,
    start: Instant,
    /// Time of the last update, and the number of messages by then.
    last: (Instant, u64),
}

#[derive(Debug)]
enum Shown {
    Line(ProgressBar),
    Chart(LiveChart),
}

impl Progress {
    /// Shows that a load connects. `prefix` is the text at the start of the line; the chart of a load with a prefix, which is one of
    /// several, disappears as the line does.
    pub(in crate::load) fn new(prefix: String, display: Display) -> Self {
        let chart =
            (display == Display::Chart).then(|| LiveChart::new(prefix.is_empty())).flatten();
        let shown = match chart {
            Some(chart) => Shown::Chart(chart),
            None => Shown::Line(line(display)),
        };
        let now = Instant::now();
        let mut progress = Self { shown, prefix, start: now, last: (now, 0) };
        progress.show("connecting", &Outcome::default());
        progress
    }

    /// Shows the result so far.
    pub(in crate::load) fn update(&mut self, outcome: &Outcome) {
        let text = if let Some(left) = outcome.starts_in {
            self.last.0 = Instant::now();
            format!("starts in {:.0} s", left.as_secs_f64().ceil())
        } else {
            self.figures(outcome)
        };
        self.show(&text, outcome);
    }

    /// Returns the text about a load that runs.
    fn figures(&mut self, outcome: &Outcome) -> String {
        let (now, stats) = (Instant::now(), &outcome.stats);
        let (last_update, last_count) = std::mem::replace(&mut self.last, (now, stats.messages));
        if last_count == 0 && stats.messages == 0 {
            self.start = self.start.max(last_update);
        }
        let interval = now.duration_since(last_update).as_secs_f64();
        // After the end, the time since the last update says nothing.
        let current = match outcome.measured.as_secs_f64() {
            0.0 => per_second(stats.messages - last_count, interval),
            measured => per_second(stats.messages, measured),
        };
        let lost = match &stats.datagrams {
            DatagramStats { sent: 0, .. } => String::new(),
            datagrams => format!("lost {}   ", count(datagrams.lost())),
        };
        format!(
            "{:.1} s   {}   p99 {}   {}errors {}",
            now.duration_since(self.start).as_secs_f64(),
            rate(current),
            time(nanos(stats.latency.quantile(0.99))),
            lost,
            count(stats.error_count())
        )
    }

    fn show(&mut self, text: &str, outcome: &Outcome) {
        let text = format!("{}{text}", self.prefix);
        match &mut self.shown {
            Shown::Line(line) => {
                line.set_message(text);
                line.tick();
            }
            Shown::Chart(chart) => chart.show(&text, outcome),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &mut self.shown {
            Shown::Line(line) => line.finish_and_clear(),
            Shown::Chart(chart) => chart.finish(),
        }
    }
}

/// Returns a line on standard error, which is hidden if that is no terminal.
fn line(display: Display) -> ProgressBar {
    let target = match display {
        Display::None => ProgressDrawTarget::hidden(),
        Display::Line | Display::Chart => ProgressDrawTarget::stderr(),
    };
    let line = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        line.set_style(style);
    }
    line
}
