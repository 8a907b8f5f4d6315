use std::{iter::zip, time::Duration};

use super::*;
use crate::load::stats::{counters::Stats, series::Series};

/// Returns the course of a load that begins at this millisecond, with these numbers of messages.
fn series(start_ms: i64, messages: &[u64]) -> TimeSeries {
    let mut series = Series::default();
    for (second, &messages) in zip(0.., messages) {
        let mut stats = Stats { messages, ..Stats::default() };
        stats.latency.record_n(Duration::from_micros(100 * messages), messages);
        series.record(Duration::from_secs(second), &stats, 5);
    }
    let start = Timestamp::from_millisecond(start_ms).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "few intervals")]
    TimeSeries::new(start, messages.len() as f64, &series)
}

fn messages(series: &TimeSeries) -> Vec<u64> {
    series.intervals.iter().map(|interval| interval.messages).collect()
}

#[test]
fn the_rate_of_the_last_interval_counts_its_length() {
    let mut load = Series::default();
    let stats = Stats { messages: 50, ..Stats::default() };
    for second in [0, 1, 2] {
        load.record(Duration::from_secs(second), &stats, 1);
    }
    let series = TimeSeries::new(Timestamp::UNIX_EPOCH, 1.5, &load);
    let rates: Vec<_> = series.intervals.iter().map(|interval| interval.rate).collect();
    assert_eq!(rates, [50.0, 100.0, 50.0]);
    assert_eq!(series.intervals[0].p99_ns, None);
}

/// Returns the messages and the rates of a load of this many seconds, with 100 messages in each second and 7 in the last one.
fn with_tail(seconds: f64, intervals: u64) -> (Vec<u64>, Vec<f64>) {
    let mut load = Series::default();
    for second in 0..intervals {
        let messages = if second + 1 == intervals { 7 } else { 100 };
        load.record(Duration::from_secs(second), &Stats { messages, ..Stats::default() }, 1);
    }
    let series = TimeSeries::new(Timestamp::UNIX_EPOCH, seconds, &load);
    (messages(&series), series.intervals.iter().map(|interval| interval.rate.round()).collect())
}

#[test]
fn the_replies_after_the_end_are_in_the_last_interval() {
    for seconds in [10.0003, 10.0] {
        let (messages, rates) = with_tail(seconds, 11);
        assert_eq!((messages.len(), messages[9], messages.iter().sum::<u64>()), (10, 107, 1007));
        assert_eq!((rates[8], rates[9]), (100.0, 107.0));
    }
    let (messages, rates) = with_tail(10.4, 11);
    assert_eq!((messages[9], rates[9]), (107, 76.0));
}

#[test]
fn half_an_interval_at_the_end_is_one_of_its_own() {
    assert_eq!(with_tail(3.7, 4), (vec![100, 100, 100, 7], vec![100.0, 100.0, 100.0, 10.0]));
    assert_eq!(with_tail(3.5, 4), (vec![100, 100, 100, 7], vec![100.0, 100.0, 100.0, 14.0]));
    // A load that is shorter than an interval has one.
    assert_eq!(with_tail(0.1, 1), (vec![7], vec![70.0]));
}

#[test]
fn a_loss_after_the_end_leaves_the_rate_of_the_tail_that_of_a_whole_interval() {
    let mut load = Series::default();
    let lost = Stats { lost: 1, ..Stats::default() };
    for (second, stats) in zip(0.., [&Stats { messages: 50, ..Stats::default() }; 2]) {
        load.record(Duration::from_secs(second), stats, 1);
    }
    load.record(Duration::from_secs(3), &lost, 1);
    let rates = |seconds| {
        let series = TimeSeries::new(Timestamp::UNIX_EPOCH, seconds, &load);
        series.intervals.iter().map(|interval| interval.rate).collect::<Vec<_>>()
    };
    assert_eq!(rates(1.001), [50.0, 50.0, 0.0, 0.0]);
    assert_eq!(rates(1.5), [50.0, 100.0, 0.0, 0.0]);
}

#[test]
fn what_follows_the_end_is_in_the_course_until_the_last_loss() {
    let mut load = Series::default();
    let (some, lost) =
        (Stats { messages: 9, ..Stats::default() }, Stats { lost: 1, ..Stats::default() });
    let stats = [&some, &Stats::default(), &Stats::default(), &lost, &Stats::default()];
    for (second, stats) in zip(0.., stats) {
        load.record(Duration::from_secs(second), stats, 1);
    }
    let series = |seconds| TimeSeries::new(Timestamp::UNIX_EPOCH, seconds, &load);
    assert_eq!(messages(&series(1.0)), [9, 0, 0, 0]);
    assert_eq!(series(5.0).intervals.len(), 5);
    assert_eq!(series(4.0).intervals.len(), 4);
}

/// Returns a course of intervals of this length with one message each, that begins at this second.
fn even(start: i64, interval_seconds: u32, len: usize) -> TimeSeries {
    let interval = TimeInterval { messages: 1, rate: 1.0, ..TimeInterval::default() };
    let start = Timestamp::from_second(start).unwrap();
    TimeSeries { start, interval_seconds, intervals: vec![interval; len] }
}

#[test]
fn loads_of_several_machines_are_added_by_their_times() {
    let (early, late) = (series(10_000, &[1, 2, 3]), series(11_400, &[10, 20, 30]));
    let sum = TimeSeries::merge(&[&late, &early]).unwrap();
    assert_eq!((sum.start, messages(&sum)), (early.start, vec![1, 12, 23, 30]));
    assert_eq!(sum.intervals[1].connections, 10);
    assert!((sum.intervals[1].rate - 12.0).abs() < 1e-9);
    // Ten of twelve messages took one millisecond, the others 200 \u{b5}s.
    let (p50, max) = (sum.intervals[1].p50_ns.unwrap(), sum.intervals[1].max_ns.unwrap());
    assert!(p50.abs_diff(1_000_000) < 10_000 && max.abs_diff(1_000_000) < 10_000);
    assert_eq!(TimeSeries::merge(&[]), None);
}

/// One of two loads took more than an hour, so its intervals are longer.
#[test]
fn intervals_of_different_lengths_are_added_in_the_longer_one() {
    let mut long = series(10_000, &[100, 200]);
    long.interval_seconds = 2;
    let short = series(11_000, &[1, 2, 3]);
    let sum = TimeSeries::merge(&[&long, &short]).unwrap();
    assert_eq!((sum.interval_seconds, messages(&sum)), (2, vec![101, 205]));
    assert_eq!(sum.intervals[1].connections, 10);
}

#[test]
fn loads_with_a_time_between_them_have_no_course() {
    let one = even(1_800_000_000, 1, 10);
    assert_eq!(TimeSeries::merge(&[&one, &even(1_800_000_011, 1, 10)]), None);
    for start in [0, Timestamp::MIN.as_second(), Timestamp::MAX.as_second()] {
        assert_eq!(TimeSeries::merge(&[&even(start, 1, 10), &one]), None, "{start}");
        let hostile = TimeSeries::merge(&[&even(start, u32::MAX, 3600), &one]);
        assert!(hostile.is_none_or(|sum| sum.intervals.len() <= Series::MAX_INTERVALS));
    }
    // One that begins when the other has ended.
    let sum = TimeSeries::merge(&[&even(1_800_000_010, 1, 10), &one]).unwrap();
    assert_eq!((sum.start, messages(&sum)), (one.start, vec![1; 20]));
}

#[test]
fn a_sum_has_longer_intervals_instead_of_more_than_a_load_has() {
    let loads: Vec<_> = (0..10).map(|load| even(3000 * load, 1, 3600)).collect();
    let sum = TimeSeries::merge(&loads.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!((sum.interval_seconds, sum.intervals.len()), (16, 1913));
    assert_eq!(messages(&sum).iter().sum::<u64>(), 36_000);
    assert_eq!(sum.intervals.len() * 16, 30_608);
    assert!((sum.intervals[10].rate - 1.0).abs() < 1e-9, "{:?}", sum.intervals[10]);
}

#[test]
fn a_start_counts_to_the_nearest_interval() {
    let one = even(0, 4, 2);
    for (start, sum) in [(1, [2, 2, 0]), (2, [1, 2, 1]), (3, [1, 2, 1])] {
        let merged = TimeSeries::merge(&[&one, &even(start, 4, 2)]).unwrap();
        let sum: Vec<_> = sum.into_iter().filter(|&count| count > 0).collect();
        assert_eq!(messages(&merged), sum, "{start}");
    }
}

#[test]
fn intervals_that_are_no_multiples_of_each_other_are_not_added() {
    for (one, other) in [(2, 3), (0, 1), (0, 0)] {
        assert_eq!(TimeSeries::merge(&[&even(0, one, 5), &even(0, other, 5)]), None);
    }
}

#[test]
fn counts_of_a_sum_saturate() {
    let mut one = even(0, 1, 1);
    one.intervals[0].messages = u64::MAX;
    assert_eq!(messages(&TimeSeries::merge(&[&one, &one]).unwrap()), [u64::MAX]);
}
