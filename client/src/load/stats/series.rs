//! Course of a load: its figures by the second.

use std::time::Duration;

use super::{compact_histogram::CompactHistogram, counters::Stats};

/// Course of a load from the end of the warm-up. A message counts in the interval in which it returned.
///
/// Its memory is bounded: at [`Series::MAX_INTERVALS`], neighbours are joined, and an interval is twice as long from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    interval: Duration,
    intervals: Vec<Interval>,
}

/// Figures of one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    /// Messages that returned with every byte right.
    pub(crate) messages: u64,
    /// Messages that were given up: their connection failed, or, over UDP, their time limit passed. Those that return
    /// later are included.
    pub(crate) lost: u64,
    /// Errors of all kinds.
    pub(crate) errors: u64,
    /// Connections made; over UDP, sockets.
    pub(crate) connects: u64,
    /// Connections that were open at its end.
    pub(crate) connections: u64,
    /// Latency of the messages.
    pub(crate) latency: CompactHistogram,
}

impl Default for Series {
    fn default() -> Self {
        Self { interval: Self::FIRST_INTERVAL, intervals: Vec::new() }
    }
}

impl Series {
    /// Maximum number of intervals.
    pub(crate) const MAX_INTERVALS: usize = 3600;

    /// Length of an interval as long as all fit.
    pub(crate) const FIRST_INTERVAL: Duration = Duration::from_secs(1);

    /// Returns the length of an interval.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the intervals, without a gap.
    pub(crate) fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Adds what one process counted from this time on, and the number of connections that all processes have now.
    pub(crate) fn record(&mut self, from: Duration, stats: &Stats, connections: u64) {
        let interval = self.interval_at(from);
        interval.messages += stats.messages;
        interval.lost += stats.lost + stats.datagrams.timed_out;
        interval.errors += stats.error_count();
        interval.connects += stats.connects;
        interval.connections = connections;
        interval.latency.add(&stats.latency);
    }

    /// Returns the interval with this time.
    fn interval_at(&mut self, time: Duration) -> &mut Interval {
        let mut index = self.index(time);
        while index >= Self::MAX_INTERVALS {
            self.join_neighbours();
            index = self.index(time);
        }
        if index >= self.intervals.len() {
            let connections = self.intervals.last().map_or(0, |last| last.connections);
            let empty = Interval { connections, ..Interval::default() };
            self.intervals.resize(index + 1, empty);
        }
        &mut self.intervals[index]
    }

    fn index(&self, time: Duration) -> usize {
        usize::try_from(time.as_nanos() / self.interval.as_nanos()).unwrap_or(usize::MAX)
    }

    fn join_neighbours(&mut self) {
        self.interval *= 2;
        self.intervals = self.intervals.chunks(2).map(Interval::joined).collect();
    }
}

impl Interval {
    /// Returns the sum of neighbours, in their order.
    pub(crate) fn joined(neighbours: &[Self]) -> Self {
        let mut sum = Self::default();
        for one in neighbours {
            sum.messages += one.messages;
            sum.lost += one.lost;
            sum.errors += one.errors;
            sum.connects += one.connects;
            sum.connections = one.connections;
            sum.latency.merge(&one.latency);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::stats::error_kind::ErrorKind;

    fn stats(messages: u64) -> Stats {
        let mut stats = Stats { messages, lost: 1, connects: 2, ..Stats::default() };
        stats.record_error(ErrorKind::Reset);
        stats.latency.record_n(Duration::from_micros(100), messages);
        stats
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn adds_the_reports_of_all_processes_by_the_second() {
        let mut series = Series::default();
        for (from, connections) in [(0, 5), (3, 10), (500, 10), (1000, 10), (1001, 9)] {
            series.record(ms(from), &stats(10), connections);
        }
        let [first, second] = series.intervals() else { panic!("{series:?}") };
        assert_eq!((first.messages, first.lost, first.errors, first.connects), (30, 3, 3, 6));
        assert_eq!((first.connections, first.latency.len()), (10, 30));
        assert_eq!((second.messages, second.connections), (20, 9));
    }

    /// A server that stands still for two seconds.
    #[test]
    fn a_gap_has_empty_intervals_with_the_connections_before_it() {
        let mut series = Series::default();
        series.record(ms(0), &stats(10), 7);
        series.record(ms(3000), &stats(10), 8);
        let messages: Vec<_> = series.intervals().iter().map(|it| it.messages).collect();
        assert_eq!(messages, [10, 0, 0, 10]);
        assert_eq!((series.intervals()[2].connections, series.intervals()[3].connections), (7, 8));
    }

    #[test]
    fn a_long_load_has_longer_intervals_instead_of_more() {
        let mut series = Series::default();
        for second in 0..10_000 {
            series.record(ms(1000 * second), &stats(1), second);
        }
        assert_eq!(series.interval(), Duration::from_secs(4));
        assert_eq!(series.intervals().len(), 2500);
        assert!(series.intervals().iter().all(|interval| interval.messages == 4));
        assert_eq!(series.intervals()[1].connections, 7);
        series.record(Duration::from_secs(1_000_000), &stats(1), 0);
        assert!(series.intervals().len() <= Series::MAX_INTERVALS);
        let all: u64 = series.intervals().iter().map(|interval| interval.messages).sum();
        assert_eq!(all, 10_001);
    }
}
