//! The samples of a server: rates between them, and outages. Without I/O.

use std::time::{Duration, Instant};

use crate::cli::status::{
    model::Rates,
    sample::Sample,
    view::{Shown, Text, sections, span},
};

/// The samples of a server: the last one, its rates, and the time without an answer.
#[derive(Debug)]
pub(super) struct Series {
    target: String,
    last: Option<Sample>,
    /// When the last one arrived.
    taken: Instant,
    rates: Rates,
    outage: Option<Outage>,
}

/// A server does not answer.
#[derive(Debug)]
struct Outage {
    since: Instant,
    /// The same time on the clock of the user.
    clock: String,
    /// The error of the last sample.
    reason: String,
}

impl Series {
    pub(super) fn new(target: String, now: Instant) -> Self {
        Self { target, last: None, taken: now, rates: Rates::default(), outage: None }
    }

    /// Takes a sample, or why there is none, at this time. Returns whether an outage begins.
    pub(super) fn take(
        &mut self,
        sample: Result<Sample, String>,
        now: Instant,
        clock: impl FnOnce() -> String,
    ) -> bool {
        match sample {
            Ok(mut sample) => {
                let earlier = self.last.take();
                let earlier = earlier.as_ref().map(|earlier| &earlier.status);
                let age = now.saturating_duration_since(self.taken);
                let rates = earlier.and_then(|earlier| sample.status.rates_since(earlier, age));
                self.rates = rates.unwrap_or(sample.status.rates);
                if let Some(earlier) = earlier {
                    sample.status.set_busy_since(earlier, age);
                }
                (self.last, self.taken, self.outage) = (Some(sample), now, None);
                false
            }
            Err(reason) => {
                let is_new = self.outage.is_none();
                let outage = self.outage.get_or_insert_with(|| Outage {
                    since: now,
                    clock: clock(),
                    reason: String::new(),
                });
                outage.reason = reason;
                is_new
            }
        }
    }

    /// Returns the last sample, unless the server does not answer any more.
    pub(super) fn current(&self) -> Option<&Sample> {
        self.last.as_ref().filter(|_| self.outage.is_none())
    }

    /// Returns why the server is not healthy in the last sample; nothing if it is.
    pub(super) fn problems(&self) -> Vec<String> {
        match (&self.outage, &self.last) {
            (Some(outage), _) => {
                vec![format!("no answer since {}: {}", outage.clock, outage.reason)]
            }
            (None, Some(sample)) => sample.status.problems(),
            (None, None) => vec!["no answer yet".to_owned()],
        }
    }

    /// Returns the screen for a terminal of this width, or for a pipe.
    pub(super) fn text(&self, width: Option<usize>, now: Instant) -> Text {
        let mut text = Text::new(width);
        if let Some(outage) = &self.outage {
            let time = span(now.saturating_duration_since(outage.since).as_secs_f64());
            text.problem(&format!(
                "{}: no answer since {} ({time}): {}; trying again",
                self.target, outage.clock, outage.reason
            ));
        }
        match &self.last {
            Some(sample) => {
                if self.outage.is_some() {
                    text.title("The last answer:");
                }
                let shown = Shown {
                    target: &self.target,
                    status: &sample.status,
                    rates: self.rates,
                    connections: &sample.page.connections,
                };
                sections(&shown, &mut text);
            }
            None if self.outage.is_none() => text.title(&format!("{}: no answer yet", self.target)),
            None => {}
        }
        text
    }
}

/// The longest interval: longer ones may overflow the clock.
const MAX_INTERVAL: Duration = Duration::from_hours(365 * 24);

/// Returns the time at which the next sample is due.
pub(super) fn next_due(due: Instant, interval: Duration, now: Instant) -> Instant {
    // Samples that a slow server has delayed are left out.
    (due + interval.min(MAX_INTERVAL)).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(uptime: f64, accepted: u64, bytes: u64, busy: f64) -> Result<Sample, String> {
        let status = format!(
            r#"{{"version":"0.1.0","started":"2026-11-26T13:00:00Z","uptime_seconds":{uptime},"phase":"running",
            "is_live":true,"is_ready":true,"connections":{{"open":1,"accepted":{accepted},"refused":0}},
            "listeners":[{{"listener":"a","protocol":"text","received":{{"bytes":{bytes},"messages":10}}}}],
            "workers":[{{"worker":1,"busy_seconds":{busy},"busy_ratio":0.9}}],
            "rates":{{"interval_seconds":10.0,"accepted":7.0,"received":{{"bytes":0,"messages":0}},"sent":{{"bytes":0,"messages":0}}}}}}"#
        );
        Sample::parse(status, r#"{"connections":[]}"#.to_owned())
    }

    fn taken(samples: impl IntoIterator<Item = Result<Sample, String>>) -> Series {
        let mut now = Instant::now();
        let mut series = Series::new("http://a:1".to_owned(), now);
        for sample in samples {
            series.take(sample, now, || "13:05:07".to_owned());
            now += Duration::from_secs(2);
        }
        series
    }

    /// Returns how busy the first worker is.
    fn share(series: Series) -> String {
        format!("{:.0} %", series.last.unwrap().status.workers[0].busy_ratio * 100.0)
    }

    fn lines(series: &Series, now: Instant) -> Vec<String> {
        series.text(None, now).lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rates_are_between_two_samples_of_one_run() {
        let series = taken([sample(10.0, 5, 1000, 2.0), sample(12.0, 9, 5000, 2.5)]);
        let rates =
            (series.rates.interval_seconds, series.rates.accepted, series.rates.received.bytes);
        assert_eq!(rates, (2.0, 2.0, 2000.0));
        assert_eq!(share(series), "25 %");
    }

    #[test]
    fn rates_after_a_restart_are_those_of_the_server() {
        let series = taken([sample(10.0, 5, 1000, 2.0), sample(1.0, 9, 5000, 0.1)]);
        assert_eq!((series.rates.interval_seconds, series.rates.accepted), (10.0, 7.0));
        assert_eq!(share(series), "90 %");
    }

    #[test]
    fn counters_whose_sum_exceeds_a_word_are_no_panic() {
        let with = |bytes: u64| {
            let status = format!(
                r#"{{"version":"1","phase":"running","is_live":true,"is_ready":true,"uptime_seconds":1.0,
                "connections":{{"open":0,"accepted":0,"refused":0}},
                "listeners":[{{"listener":"a","protocol":"text","received":{{"bytes":{bytes},"messages":0}}}},
                {{"listener":"b","protocol":"text","received":{{"bytes":{bytes},"messages":0}}}}]}}"#
            );
            Sample::parse(status, r#"{"connections":[]}"#.to_owned())
        };
        let series = taken([with(0), with(u64::MAX)]);
        assert!(series.rates.received.bytes > 1e18);
    }

    #[test]
    fn an_outage_has_the_time_of_its_first_failure_and_the_reason_of_its_last() {
        let mut series = taken([sample(10.0, 5, 0, 0.0)]);
        assert!(series.problems().is_empty() && series.current().is_some());
        let start = Instant::now();
        assert!(series.take(Err("first".to_owned()), start, || "13:05:07".to_owned()));
        assert!(!series.take(Err("second".to_owned()), start, || unreachable!()));
        assert_eq!(series.problems(), ["no answer since 13:05:07: second"]);
        assert!(series.current().is_none());
        let lines = lines(&series, start + Duration::from_secs(90));
        assert_eq!(
            lines[..2],
            [
                "http://a:1: no answer since 13:05:07 (1m 30s): second; trying again",
                "The last answer:"
            ]
        );
        series.take(sample(11.0, 5, 0, 0.0), start, || unreachable!());
        assert!(series.problems().is_empty());
    }

    #[test]
    fn a_series_without_an_answer_is_a_problem() {
        let series = taken([]);
        assert_eq!(series.problems(), ["no answer yet"]);
        assert_eq!(lines(&series, Instant::now()), ["http://a:1: no answer yet"]);
    }

    #[test]
    fn samples_are_due_at_the_interval_and_late_ones_are_left_out() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(next_due(start, second, start), start + second);
        let late = start + 5 * second;
        assert_eq!(next_due(start, second, late), late);
        assert_eq!(next_due(start, Duration::MAX, start), start + MAX_INTERVAL);
    }
}
