//! Time series of a load as points of a chart.

use std::time::Duration;

use crate::load::stats::{
    format::nanos,
    series::{Interval, Series},
};

/// Points in seconds and a value.
type Points = Vec<(f64, f64)>;

/// Time series of a load as points of a chart. A point is in the middle of its interval.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Timeline {
    /// Length of an interval in seconds.
    pub(super) interval: f64,
    /// End of the last interval in seconds.
    pub(super) end: f64,
    /// Messages per second.
    pub(super) rate: Points,
    /// Decimal logarithms of latencies in nanoseconds: the median, the 99th percentile and the maximum. Intervals without a message have
    /// none.
    pub(super) latencies: [Points; 3],
    /// Times of intervals with errors.
    pub(super) errors: Vec<f64>,
    /// Times of intervals with lost messages and without errors.
    pub(super) lost: Vec<f64>,
    /// Connections at the end of each interval.
    pub(super) connections: Vec<u64>,
}

/// Latencies of the intervals drawn before: their percentiles are computed again only for intervals with further latencies.
#[derive(Debug, Default)]
pub(super) struct LatencyCache {
    /// Length of an interval.
    interval: Duration,
    /// Number of latencies of each interval, and the decimal logarithms of its percentiles.
    known: Vec<(u64, [f64; 3])>,
}

impl LatencyCache {
    /// Returns the latencies of this interval of a series.
    fn latencies(&mut self, index: usize, interval: &Interval) -> [f64; 3] {
        if self.known.len() <= index {
            self.known.resize(index + 1, (0, [0.0; 3]));
        }
        let known = &mut self.known[index];
        let latency = &interval.latency;
        if known.0 != latency.len() {
            let values = [latency.quantile(0.5), latency.quantile(0.99), latency.max()];
            *known = (latency.len(), values.map(|it| exact(nanos(it).max(1)).log10()));
        }
        known.1
    }

    /// Forgets the intervals if they have been joined.
    fn check_interval(&mut self, interval: Duration) {
        if self.interval != interval {
            *self = Self { interval, known: Vec::new() };
        }
    }
}

impl Timeline {
    /// Returns the time series of a load; `measured` is zero while it runs, and `cache` belongs to this series.
    pub(super) fn new(series: &Series, measured: Duration, cache: &mut LatencyCache) -> Self {
        cache.check_interval(series.interval());
        let mut timeline = Self { interval: series.interval().as_secs_f64(), ..Self::default() };
        for (interval, seconds) in complete(series, measured) {
            timeline.push(interval, seconds, cache);
        }
        timeline
    }

    fn push(&mut self, interval: &Interval, seconds: f64, cache: &mut LatencyCache) {
        let index = self.rate.len();
        let time = self.end + self.interval / 2.0;
        self.end += self.interval;
        self.rate.push((time, exact(interval.messages) / seconds));
        if !interval.latency.is_empty() {
            for (points, value) in self.latencies.iter_mut().zip(cache.latencies(index, interval)) {
                points.push((time, value));
            }
        }
        if interval.errors > 0 {
            self.errors.push(time);
        } else if interval.lost > 0 {
            self.lost.push(time);
        }
        self.connections.push(interval.connections);
    }

    /// Returns `true` if there is no point.
    pub(super) fn is_empty(&self) -> bool {
        self.rate.is_empty()
    }

    /// Returns the number of connections at the end.
    pub(super) fn last_connections(&self) -> Option<u64> {
        self.connections.last().copied()
    }
}

/// Returns the intervals that are complete, and the seconds of each. The reports of the processes for the last one are still to come,
/// and after the end, it may be so short that its rate says nothing.
fn complete(series: &Series, measured: Duration) -> impl Iterator<Item = (&Interval, f64)> {
    let length = series.interval().as_secs_f64();
    let (last, before) = match series.intervals().split_last() {
        Some((last, before)) => (Some(last), before),
        None => (None, &[][..]),
    };
    let left = measured.as_secs_f64() - length * exact(before.len() as u64);
    let last = last.filter(|_| left >= length / 2.0).map(|last| (last, left.min(length)));
    before.iter().map(move |interval| (interval, length)).chain(last)
}

#[expect(clippy::cast_precision_loss, reason = "a chart has a few hundred dots")]
fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::stats::{counters::Stats, error_kind::ErrorKind};

    /// Returns the time series of messages of 100 us, so many in each second.
    fn series(messages: &[u64]) -> Series {
        let mut series = Series::default();
        for (second, &messages) in (0..).zip(messages) {
            let mut stats = Stats { messages, ..Stats::default() };
            stats.latency.record_n(Duration::from_micros(100), messages);
            series.record(Duration::from_secs(second), &stats, 5);
        }
        series
    }

    fn drawn(series: &Series, measured: Duration) -> Timeline {
        Timeline::new(series, measured, &mut LatencyCache::default())
    }

    #[test]
    fn the_interval_that_is_not_over_has_no_point() {
        let timeline = drawn(&series(&[10, 20, 3]), Duration::ZERO);
        assert_eq!(timeline.rate, [(0.5, 10.0), (1.5, 20.0)]);
        assert!((timeline.latencies[0][1].1 - 5.0).abs() < 0.01, "{timeline:?}");
        assert_eq!((timeline.connections.len(), timeline.last_connections()), (2, Some(5)));
        assert!(drawn(&series(&[10]), Duration::ZERO).is_empty());
    }

    /// The rest of a second after the last reply would look like a rate that breaks down.
    #[test]
    fn after_the_end_the_rate_of_the_last_interval_is_that_of_its_time() {
        let timeline = drawn(&series(&[10, 15]), Duration::from_millis(1750));
        assert_eq!(timeline.rate, [(0.5, 10.0), (1.5, 20.0)]);
        let timeline = drawn(&series(&[10, 15, 1]), Duration::from_millis(2010));
        assert_eq!(timeline.rate, [(0.5, 10.0), (1.5, 15.0)]);
    }

    #[test]
    fn a_drawn_interval_changes_with_a_late_message_and_with_joined_neighbours() {
        let (mut series, mut cache) = (series(&[10, 20, 30, 40, 10]), LatencyCache::default());
        assert_eq!(
            Timeline::new(&series, Duration::ZERO, &mut cache),
            drawn(&series, Duration::ZERO)
        );
        // In a room, a message has a latency for each member.
        let mut late = Stats::default();
        late.latency.record(Duration::from_millis(100));
        series.record(Duration::from_secs(1), &late, 5);
        assert_eq!(
            Timeline::new(&series, Duration::ZERO, &mut cache),
            drawn(&series, Duration::ZERO)
        );
        series.record(Duration::from_hours(1), &late, 5);
        assert_eq!(series.interval(), Duration::from_secs(2));
        assert_eq!(
            Timeline::new(&series, Duration::ZERO, &mut cache),
            drawn(&series, Duration::ZERO)
        );
    }

    #[test]
    fn an_interval_without_messages_has_no_latency_and_one_with_errors_is_marked() {
        let mut series = series(&[10, 0, 10, 10]);
        let mut stats = Stats { lost: 2, ..Stats::default() };
        series.record(Duration::from_secs(0), &stats, 5);
        stats.record_error(ErrorKind::Reset);
        series.record(Duration::from_secs(1), &stats, 0);
        let timeline = drawn(&series, Duration::ZERO);
        assert_eq!((timeline.rate.len(), timeline.latencies[2].len()), (3, 2));
        assert_eq!((&timeline.errors[..], &timeline.lost[..]), (&[1.5][..], &[0.5][..]));
    }
}
