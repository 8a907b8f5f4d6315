use super::*;
use std::convert::Infallible;

const MIN: f64 = 1.0;

const EXCEEDED: Finding = Finding::Limited(Limit::Exceeded);

/// Runs a search in which `finding` returns the measurements; returns the result and the rates.
fn run(
    start: f64,
    mut finding: impl FnMut(f64, Purpose) -> Finding,
) -> (SearchResult, Vec<(f64, Purpose)>) {
    let mut rates = Vec::new();
    let found = search(start, MIN, |rate, purpose| {
        rates.push((rate, purpose));
        Ok::<_, Infallible>(finding(rate, purpose))
    });
    let Ok(found) = found;
    (found, rates)
}

fn holds_up_to(max: f64) -> impl FnMut(f64, Purpose) -> Finding {
    move |rate, _| if rate <= max { Finding::Holds } else { EXCEEDED }
}

#[test]
fn finds_any_limit_with_the_precision() {
    for max in [1.0, 7.0, 999.0, 1000.0, 1001.0, 12_345.0, 5e6] {
        for start in [1.0, 1000.0, 77_777.0] {
            let (found, rates) = run(start, holds_up_to(max));
            let rate = found.rate.unwrap_or_else(|| panic!("{max} from {start}: {rates:?}"));
            assert!(rate <= max && max < rate * (1.0 + PRECISION), "{rate} for {max}");
            assert_eq!(found.limit, Some(Limit::Exceeded));
            assert_eq!(rates.last(), Some(&(rate, Purpose::Confirmation)));
            assert!(rates.len() < 60, "{}", rates.len());
        }
    }
}

#[test]
fn a_short_disturbance_does_not_decide() {
    let mut measured = 0;
    let (found, _) = run(1000.0, |rate, purpose| {
        measured += 1;
        if measured < 3 { EXCEEDED } else { holds_up_to(20_000.0)(rate, purpose) }
    });
    assert!(found.rate.is_some_and(|rate| rate > 19_000.0), "{found:?}");
}

#[test]
fn reports_a_limit_of_the_client() {
    let (found, _) = run(1000.0, |rate, _| {
        if rate <= 5000.0 { Finding::Holds } else { Finding::Limited(Limit::ClientLimited) }
    });
    assert!(found.rate.is_some() && found.limit == Some(Limit::ClientLimited), "{found:?}");
}

#[test]
fn finds_nothing_if_the_condition_never_holds() {
    let (found, rates) = run(1000.0, |_, _| EXCEEDED);
    assert_eq!(found, SearchResult { rate: None, limit: Some(Limit::Exceeded) });
    assert_eq!(rates.last(), Some(&(MIN, Purpose::Step)));
}

#[test]
fn ends_at_the_maximum_rate_if_the_condition_always_holds() {
    let (found, _) = run(1000.0, |_, _| Finding::Holds);
    assert_eq!(found, SearchResult { rate: Some(MAX_RATE), limit: None });
}

#[test]
fn reduces_a_rate_that_is_not_confirmed() {
    let (found, _) = run(1000.0, |rate, purpose| match purpose {
        Purpose::Step => holds_up_to(10_000.0)(rate, purpose),
        Purpose::Confirmation => holds_up_to(9_000.0)(rate, purpose),
    });
    assert!(found.rate.is_some_and(|rate| rate > 7_000.0 && rate <= 9_000.0), "{found:?}");
    let (found, _) = run(1000.0, |rate, purpose| match purpose {
        Purpose::Step => holds_up_to(10_000.0)(rate, purpose),
        Purpose::Confirmation => EXCEEDED,
    });
    assert_eq!(found.rate, None);
}

#[test]
fn ends_immediately_if_the_measurement_is_broken() {
    let (found, rates) = run(1000.0, |_, _| Finding::Limited(Limit::Broken));
    assert_eq!((found.rate, found.limit, rates.len()), (None, Some(Limit::Broken), 1));
    let mut calls = 0;
    let result = search(1000.0, MIN, |_, _| {
        calls += 1;
        Err::<Finding, _>("stopped")
    });
    assert_eq!((result, calls), (Err("stopped"), 1));
}
