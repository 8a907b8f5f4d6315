use super::*;
use std::convert::Infallible;

const LOWEST: f64 = 1.0;

/// Searches where `finding` says what is measured; also says at which rates.
fn searched(
    start: f64,
    mut finding: impl FnMut(f64, Purpose) -> Finding,
) -> (Found, Vec<(f64, Purpose)>) {
    let mut rates = Vec::new();
    let found = search(start, LOWEST, |rate, purpose| {
        rates.push((rate, purpose));
        Ok::<_, Infallible>(finding(rate, purpose))
    });
    let Ok(found) = found;
    (found, rates)
}

fn up_to(most: f64) -> impl FnMut(f64, Purpose) -> Finding {
    move |rate, _| if rate <= most { Finding::Holds } else { Finding::Exceeded }
}

#[test]
fn any_limit_is_found_to_the_precision() {
    for most in [1.0, 7.0, 999.0, 1000.0, 1001.0, 12_345.0, 5e6] {
        for start in [1.0, 1000.0, 77_777.0] {
            let (found, rates) = searched(start, up_to(most));
            let rate = found.rate.unwrap_or_else(|| panic!("{most} from {start}: {rates:?}"));
            assert!(rate <= most && most < rate * (1.0 + PRECISION), "{rate} for {most}");
            assert_eq!(found.limit, Some(Finding::Exceeded));
            assert_eq!(rates.last(), Some(&(rate, Purpose::Confirmation)));
            assert!(rates.len() < 60, "{}", rates.len());
        }
    }
}

#[test]
fn a_hiccup_does_not_decide() {
    let mut measured = 0;
    let (found, _) = searched(1000.0, |rate, purpose| {
        measured += 1;
        if measured < 3 { Finding::Exceeded } else { up_to(20_000.0)(rate, purpose) }
    });
    assert!(found.rate.is_some_and(|rate| rate > 19_000.0), "{found:?}");
}

#[test]
fn a_limit_of_the_client_is_known_as_such() {
    let (found, _) =
        searched(
            1000.0,
            |rate, _| {
                if rate <= 5000.0 { Finding::Holds } else { Finding::ClientLimited }
            },
        );
    assert!(found.rate.is_some() && found.limit == Some(Finding::ClientLimited), "{found:?}");
}

#[test]
fn what_no_rate_keeps_is_not_found() {
    let (found, rates) = searched(1000.0, |_, _| Finding::Exceeded);
    assert_eq!(found, Found { rate: None, limit: Some(Finding::Exceeded) });
    assert_eq!(rates.last(), Some(&(LOWEST, Purpose::Step)));
}

#[test]
fn what_every_rate_keeps_ends_at_the_highest() {
    let (found, _) = searched(1000.0, |_, _| Finding::Holds);
    assert_eq!(found, Found { rate: Some(HIGHEST), limit: None });
}

#[test]
fn a_rate_that_is_not_confirmed_is_taken_back() {
    let (found, _) = searched(1000.0, |rate, purpose| match purpose {
        Purpose::Step => up_to(10_000.0)(rate, purpose),
        Purpose::Confirmation => up_to(9_000.0)(rate, purpose),
    });
    assert!(found.rate.is_some_and(|rate| rate > 7_000.0 && rate <= 9_000.0), "{found:?}");
    let (found, _) = searched(1000.0, |rate, purpose| match purpose {
        Purpose::Step => up_to(10_000.0)(rate, purpose),
        Purpose::Confirmation => Finding::Exceeded,
    });
    assert_eq!(found.rate, None);
}

#[test]
fn what_is_broken_ends_it_at_once() {
    let (found, rates) = searched(1000.0, |_, _| Finding::Broken);
    assert_eq!((found.rate, found.limit, rates.len()), (None, Some(Finding::Broken), 1));
    let mut stopped = 0;
    let result = search(1000.0, LOWEST, |_, _| {
        stopped += 1;
        Err::<Finding, _>("stopped")
    });
    assert_eq!((result, stopped), (Err("stopped"), 1));
}
