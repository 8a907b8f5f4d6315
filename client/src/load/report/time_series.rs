//! Course of a load over time, as the report shows it.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::stats::{
    compact_histogram::CompactHistogram,
    format::nanos,
    rate::per_second,
    series::{Interval, Series},
};

/// Figures of a load by the second, from the end of the warm-up; of a load over an hour, by a multiple of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeSeries {
    /// Begin of the first interval by the clock of the client; of merged reports, of the first one.
    #[schemars(with = "String")]
    pub(crate) start: Timestamp,
    /// Length of an interval. The last one is from half as long to one and a half times as long, unless it is the only one: less than
    /// half an interval at the end belongs to the interval before.
    pub(crate) interval_seconds: u32,
    /// Intervals, without a gap.
    pub(crate) intervals: Vec<TimeInterval>,
}

/// Figures of one interval. A message counts in the interval in which it returned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeInterval {
    /// Messages that returned with every byte right.
    pub(crate) messages: u64,
    /// Messages per second that returned.
    pub(crate) rate: f64,
    /// Median latency in nanoseconds with two digits; null if no message returned.
    pub(crate) p50_ns: Option<u64>,
    /// Latency that 99 % do not exceed.
    pub(crate) p99_ns: Option<u64>,
    /// Longest latency.
    pub(crate) max_ns: Option<u64>,
    /// Messages that were given up, including those that returned later.
    pub(crate) lost: u64,
    /// Errors of all kinds.
    pub(crate) errors: u64,
    /// Connections made; those that were made before the start are in the first interval if there is no warm-up.
    pub(crate) connects: u64,
    /// Connections that were open at its end.
    pub(crate) connections: u64,
    /// Latency: an HDR histogram (V2, compressed) in base64, with two significant digits.
    #[schemars(with = "String")]
    pub(crate) histogram: CompactHistogram,
}

impl TimeSeries {
    /// Returns the time series of a load that was measured from `start` for this time.
    pub(crate) fn new(start: Timestamp, seconds: f64, series: &Series) -> Self {
        let interval_seconds = u32::try_from(series.interval().as_secs()).unwrap_or(u32::MAX);
        let full = f64::from(interval_seconds);
        #[expect(clippy::cast_precision_loss, reason = "at most 3,600 intervals")]
        let left = |index: usize| seconds - full * index as f64;
        let mut intervals = series.intervals().to_vec();
        let last = |intervals: &Vec<Interval>| intervals.len().saturating_sub(1);
        // After the end, errors and losses of what was in flight may follow, and then nothing.
        while left(last(&intervals)) <= 0.0 && intervals.pop_if(|last| is_quiet(last)).is_some() {}
        // The replies to what was in flight at the end take a few milliseconds, whose rate says nothing.
        if (0.0..full / 2.0).contains(&left(last(&intervals))) && intervals.len() > 1 {
            let tail = intervals.split_off(intervals.len() - 2);
            intervals.push(Interval::joined(&tail));
        }
        let last = last(&intervals);
        let length = |index| match left(index) {
            left if index == last && left > 0.0 && left < 1.5 * full => left,
            left if left >= full / 2.0 => left.min(full),
            _ => full,
        };
        let intervals = intervals.iter().enumerate();
        let intervals = intervals.map(|(index, it)| TimeInterval::new(it, length(index))).collect();
        Self { start: to_milliseconds(start), interval_seconds, intervals }
    }
}

/// Returns `true` if nothing returned, failed or was given up.
fn is_quiet(interval: &Interval) -> bool {
    (interval.messages, interval.lost, interval.errors) == (0, 0, 0)
}

impl TimeInterval {
    fn new(interval: &Interval, seconds: f64) -> Self {
        Self {
            messages: interval.messages,
            rate: per_second(interval.messages, seconds),
            lost: interval.lost,
            errors: interval.errors,
            connects: interval.connects,
            connections: interval.connections,
            ..Self::default()
        }
        .with_latency(interval.latency.clone())
    }

    fn with_latency(self, histogram: CompactHistogram) -> Self {
        let known = |time| (!histogram.is_empty()).then(|| nanos(time));
        Self {
            p50_ns: known(histogram.quantile(0.5)),
            p99_ns: known(histogram.quantile(0.99)),
            max_ns: known(histogram.max()),
            histogram,
            ..self
        }
    }

    /// Adds the interval of another load at the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        self.connections = self.connections.saturating_add(other.connections);
        self.rate += other.rate;
        self.add_counts(other);
    }

    /// Returns the sum of neighbours.
    pub(crate) fn joined(neighbours: &[Self]) -> Self {
        let mut sum = Self::default();
        for one in neighbours {
            sum.add_counts(one);
            sum.connections = one.connections;
            #[expect(clippy::cast_precision_loss, reason = "the number of intervals of a report")]
            let share = 1.0 / neighbours.len() as f64;
            sum.rate += one.rate * share;
        }
        sum
    }

    fn add_counts(&mut self, other: &Self) {
        self.messages = self.messages.saturating_add(other.messages);
        self.lost = self.lost.saturating_add(other.lost);
        self.errors = self.errors.saturating_add(other.errors);
        self.connects = self.connects.saturating_add(other.connects);
        let mut histogram = std::mem::take(&mut self.histogram);
        histogram.merge(&other.histogram);
        // The histogram of a report that was read has fewer digits.
        let max_ns = self.max_ns.max(other.max_ns);
        *self = Self { max_ns, ..std::mem::take(self).with_latency(histogram) };
    }
}

fn to_milliseconds(time: Timestamp) -> Timestamp {
    let round = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Trunc);
    time.round(round).unwrap_or(time)
}

#[cfg(test)]
mod tests;
