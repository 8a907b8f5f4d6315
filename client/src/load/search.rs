//! The search for the highest rate at which a condition holds.
//!
//! Owns where to look next. Must not know what is measured, nor how.

/// How well the rate is to be known: the lowest at which the condition did not hold is this much above
/// the highest at which it did.
pub const PRECISION: f64 = 0.05;

/// The highest rate that is tried, in messages a second.
pub const HIGHEST: f64 = 1e9;

/// How often a rate is tried before it is given up.
pub const ATTEMPTS: u32 = 3;

/// How much lower to look if the condition does not hold at the first rate already.
const DESCENT: f64 = 8.0;

/// How much lower to look if a rate is not confirmed, and how often.
const RETREAT: (f64, u32) = (0.9, 4);

/// What a measurement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To see whether the condition holds.
    Step,
    /// To see whether it holds for longer.
    Confirmation,
}

/// What a measurement at a rate has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The condition holds.
    Holds,
    /// It does not.
    Exceeded,
    /// The client was the limit.
    ClientLimited,
    /// The server, or the client, cannot be measured at any rate.
    Broken,
}

/// What a search has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The highest rate at which the condition was confirmed.
    pub rate: Option<f64>,
    /// What was in the way of a higher one; `None` if it was [`HIGHEST`].
    pub limit: Option<Finding>,
}

/// Looks for the highest rate from `start` on, and not below `lowest`.
///
/// Doubles the rate until the condition does not hold, halves the interval until it is known to
/// [`PRECISION`], and confirms what it found. A rate is given up after [`ATTEMPTS`]: a hiccup of
/// the machine in the first seconds must not decide.
///
/// # Errors
///
/// What `measure` says; then the search is over.
pub fn search<E>(
    start: f64,
    lowest: f64,
    mut measure: impl FnMut(f64, Purpose) -> Result<Finding, E>,
) -> Result<Found, E> {
    let mut step = |rate| {
        let mut finding = measure(rate, Purpose::Step)?;
        for _ in 1..ATTEMPTS {
            if matches!(finding, Finding::Holds | Finding::Broken) {
                break;
            }
            finding = measure(rate, Purpose::Step)?;
        }
        Ok(finding)
    };
    let (mut good, mut bad, mut limit) = (None, None, None);
    let mut next = Some(start.clamp(lowest, HIGHEST));
    while let Some(rate) = next {
        match step(rate)? {
            Finding::Holds => good = Some(rate),
            Finding::Broken => return Ok(Found { rate: None, limit: Some(Finding::Broken) }),
            other => (bad, limit) = (Some(rate), Some(other)),
        }
        next = match (good, bad) {
            (Some(good), None) if good < HIGHEST => Some((good * 2.0).min(HIGHEST)),
            (None, Some(bad)) if bad > lowest => Some((bad / DESCENT).max(lowest)),
            (Some(good), Some(bad)) if bad > good * (1.0 + PRECISION) => {
                Some(f64::midpoint(good, bad))
            }
            _ => None,
        };
    }
    let Some(mut rate) = good else { return Ok(Found { rate: None, limit }) };
    for _ in 0..RETREAT.1 {
        match measure(rate, Purpose::Confirmation)? {
            Finding::Holds => return Ok(Found { rate: Some(rate), limit }),
            Finding::Broken => return Ok(Found { rate: None, limit: Some(Finding::Broken) }),
            other => limit = Some(other),
        }
        rate *= RETREAT.0;
    }
    Ok(Found { rate: None, limit })
}

#[cfg(test)]
mod tests {
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
}
