use super::*;
use crate::load::evaluate::testing::report_over_time;

const P50: Figure = Figure::Quantile(0.5);
const P99: Figure = Figure::Quantile(0.99);

/// Returns latencies around a mean, which vary from second to second.
fn noisy(mean_us: u32, seed: u64) -> impl Iterator<Item = u64> {
    let mut random = SplitMix64::new(seed);
    let (mean_us, spread) = (u64::from(mean_us), mean_us as usize / 5);
    (0..60).map(move |_| mean_us - mean_us / 10 + below(&mut random, spread) as u64)
}

fn interval(base: &Report, other: &Report, figure: Figure) -> (f64, f64) {
    let [base, other] = [base, other].map(|report| Sample::of(report).unwrap());
    intervals(&base, &other, &[figure])[0].unwrap()
}

#[test]
fn loads_that_differ_by_noise_have_an_interval_around_1() {
    let (base, other) =
        (report_over_time(100, noisy(500, 1)), report_over_time(100, noisy(500, 2)));
    for figure in [P50, P99] {
        let (low, high) = interval(&base, &other, figure);
        assert!(low < 1.0 && 1.0 < high, "{figure:?}: {low} to {high}");
        assert!(0.9 < low && high < 1.1, "{figure:?}: {low} to {high}");
    }
    assert_eq!(interval(&base, &other, Figure::Rate), (1.0, 1.0));
}

/// Fewer resamples than those of a comparison, so that the test is short.
#[test]
fn about_95_percent_of_the_intervals_of_equal_loads_contain_1() {
    let seconds =
        report_over_time(100, (0..20).map(|step| 450 + 5 * step)).series.unwrap().intervals;
    let sample = |seed| {
        let mut random = SplitMix64::new(seed);
        let chosen: Vec<_> =
            (0..60).map(|_| seconds[below(&mut random, seconds.len())].clone()).collect();
        Sample::of_intervals(&chosen, 1.0)
    };
    let contains_1 = |seed: &u64| {
        let (base, other) = (sample(2 * seed), sample(2 * seed + 1));
        let (low, high) = intervals_of(200, &base, &other, &[P50])[0].unwrap();
        low <= 1.0 && 1.0 <= high
    };
    let share = (1..=200).filter(contains_1).count();
    assert!((170..=198).contains(&share), "{share} of 200");
}

#[test]
fn a_slower_load_has_an_interval_around_its_ratio() {
    let (base, other) =
        (report_over_time(100, noisy(500, 1)), report_over_time(100, noisy(600, 2)));
    for figure in [P50, P99] {
        let (low, high) = interval(&base, &other, figure);
        assert!(1.05 < low && low < 1.2 && 1.2 < high && high < 1.35, "{low} to {high}");
    }
}

/// Neighbouring seconds of a slow phase are one event, not many.
#[test]
fn correlated_intervals_have_a_wider_confidence_than_independent_ones() {
    let phases =
        |len: u64| move |second: u64| if (second / len).is_multiple_of(2) { 400 } else { 600 };
    let width = |len| {
        let report = report_over_time(100, (0..64).map(phases(len)));
        let (low, high) = interval(&report, &report, Figure::Quantile(0.45));
        high - low
    };
    assert!(width(16) > width(1), "{} {}", width(16), width(1));
}

#[test]
fn percentiles_of_a_resample_are_those_of_its_messages() {
    let report = report_over_time(100, (0..20).map(|_| 500));
    let sample = Sample::of(&report).unwrap();
    let figures = [Figure::Rate, P50, Figure::Quantile(0.95)];
    let resample = sample.resample(&mut SplitMix64::new(1), &figures);
    let near = |value: Option<f64>, expected: f64| {
        assert!((value.unwrap() / expected - 1.0).abs() < 0.01, "{value:?} {expected}");
    };
    near(resample[0], 100.0);
    near(resample[1], 500e3);
    near(resample[2], 1500e3);
}

#[test]
fn the_same_reports_always_have_the_same_interval() {
    let (base, other) =
        (report_over_time(100, noisy(500, 1)), report_over_time(100, noisy(550, 2)));
    assert_eq!(interval(&base, &other, P99), interval(&base, &other, P99));
}

#[test]
fn a_short_load_has_no_confidence() {
    let short = report_over_time(100, [500; 9]);
    assert_eq!(Sample::of(&short).unwrap_err(), Unknown::TooShort(9));
    // The last second is not whole.
    let partial = Report { seconds: 9.5, ..report_over_time(100, [500; 10]) };
    assert_eq!(Sample::of(&partial).unwrap_err(), Unknown::TooShort(9));
    let old = Report { series: None, ..short };
    assert_eq!(Sample::of(&old).unwrap_err(), Unknown::NoSeries);
}

#[test]
fn a_load_that_stood_still_for_long_has_no_confidence_in_its_percentiles() {
    let mut still = report_over_time(100, [500; 20]);
    let intervals = &mut still.series.as_mut().unwrap().intervals;
    for interval in &mut intervals[1..] {
        *interval = TimeInterval::default();
    }
    let sample = Sample::of(&still).unwrap();
    assert_eq!(intervals_of(RESAMPLES, &sample, &sample, &[P50])[0], None);
}
