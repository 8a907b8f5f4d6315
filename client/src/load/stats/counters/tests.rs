use super::*;

fn tally(messages: u64, times: &[u64]) -> Tally {
    let mut tally = Tally { messages, ..Tally::default() };
    for &time in times {
        tally.latency.record(Duration::from_micros(time));
    }
    tally
}

#[test]
fn tallies_add_up_without_averaging_percentiles() {
    let mut all = tally(3, &[10, 10, 10]);
    all.error(ErrorKind::Reset);
    let mut other = tally(1, &[1000]);
    other.error(ErrorKind::Reset);
    other.error(ErrorKind::Timeout);
    all.add(&other);
    assert_eq!((all.messages, all.all_errors(), all.errors[&ErrorKind::Reset]), (4, 3, 2));
    assert!(all.latency.quantile(0.75) < Duration::from_micros(11));
    assert!(all.latency.quantile(0.76) > Duration::from_micros(999));
}

#[test]
fn kinds_of_errors_have_one_name() {
    for kind in ErrorKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
    }
}

/// Other tools' histograms have other bounds.
#[test]
fn histograms_of_other_bounds_can_be_added() {
    let mut other = Histogram::<u64>::new_with_bounds(1000, 100_000_000_000_000, 2).unwrap();
    other.record_n(5_000_000, 3).unwrap();
    other.record(90_000_000_000_000).unwrap();
    let mut times = Times::from(other);
    times.add(&Times::default());
    assert_eq!((times.len(), times.max().as_secs() / 60), (4, 60));
    assert!(times.quantile(0.5).abs_diff(Duration::from_millis(5)) < Duration::from_micros(50));
    assert_eq!(Times::from(Histogram::new(2).unwrap()), Times::default());
}

#[test]
fn a_tally_survives_the_pipe() {
    let mut tally = tally(2, &[5, 70_000_000]);
    tally.error(ErrorKind::WrongBytes);
    let line = serde_json::to_string(&tally).unwrap();
    assert_eq!(serde_json::from_str::<Tally>(&line).unwrap(), tally);
    assert_eq!(tally.latency.max().as_secs(), 70);
}
