use std::{iter::zip, time::Duration};

use super::*;
use crate::load::stats::{counters::Stats, series::Series};

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
fn what_follows_the_end_is_in_the_time_series_until_the_last_loss() {
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
