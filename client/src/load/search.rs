//! Search for the highest rate at which a condition holds.
//!
//! Owns the choice of the next rate. Must not know what is measured, nor how.

/// Precision of the result: the lowest rate at which the condition did not hold exceeds the highest at
/// which it did by at most this share.
const PRECISION: f64 = 0.05;

/// Highest rate that is tried, in messages per second.
const MAX_RATE: f64 = 1e9;

/// Number of attempts before a rate counts as exceeded.
const ATTEMPTS: u32 = 3;

/// Divisor of the rate while the condition has not held at any rate.
const DESCENT: f64 = 8.0;

/// Factor by which a rate is reduced that is not confirmed.
const RETREAT: f64 = 0.9;

/// Number of confirmations that are tried.
const CONFIRMATIONS: u32 = 4;

/// Purpose of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Find out whether the condition holds.
    Step,
    /// Find out whether it holds for longer.
    Confirmation,
}

/// Result of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The condition holds.
    Holds,
    /// The condition does not hold, for this reason.
    Limited(Limit),
}

/// Reason why a condition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// The rate is too high.
    Exceeded,
    /// The client is the limit.
    ClientLimited,
    /// The server or the client cannot be measured at any rate.
    Broken,
}

/// Result of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SearchResult {
    /// Highest rate at which the condition was confirmed.
    pub(super) rate: Option<f64>,
    /// Reason why no higher rate was found; `None` if it was [`MAX_RATE`].
    pub(super) limit: Option<Limit>,
}

/// Searches the highest rate from `start` on, not below `min`.
///
/// The search doubles the rate until the condition does not hold, halves the interval until the result has
/// the [`PRECISION`], and confirms it. A rate counts as exceeded only after [`ATTEMPTS`], so that a short
/// disturbance of the machine does not decide.
///
/// # Errors
///
/// The first error of `measure`.
pub(super) fn search<E>(
    start: f64,
    min: f64,
    mut measure: impl FnMut(f64, Purpose) -> Result<Finding, E>,
) -> Result<SearchResult, E> {
    let (good, mut limit) = match narrow(start, min, &mut measure)? {
        (_, Some(Limit::Broken)) => return Ok(BROKEN),
        (None, limit) => return Ok(SearchResult { rate: None, limit }),
        (Some(good), limit) => (good, limit),
    };
    let mut rate = good;
    for _ in 0..CONFIRMATIONS {
        match measure(rate, Purpose::Confirmation)? {
            Finding::Holds => return Ok(SearchResult { rate: Some(rate), limit }),
            Finding::Limited(Limit::Broken) => return Ok(BROKEN),
            Finding::Limited(reason) => limit = Some(reason),
        }
        rate *= RETREAT;
    }
    Ok(SearchResult { rate: None, limit })
}

const BROKEN: SearchResult = SearchResult { rate: None, limit: Some(Limit::Broken) };

/// Narrows the interval; returns the highest rate at which the condition held, and the reason why no higher
/// one did.
fn narrow<E>(
    start: f64,
    min: f64,
    measure: &mut impl FnMut(f64, Purpose) -> Result<Finding, E>,
) -> Result<(Option<f64>, Option<Limit>), E> {
    let (mut good, mut bad, mut limit) = (None, None, None);
    let mut next = Some(start.clamp(min, MAX_RATE));
    while let Some(rate) = next {
        match step(rate, measure)? {
            Finding::Holds => good = Some(rate),
            Finding::Limited(Limit::Broken) => return Ok((None, Some(Limit::Broken))),
            Finding::Limited(reason) => (bad, limit) = (Some(rate), Some(reason)),
        }
        next = match (good, bad) {
            (Some(good), None) if good < MAX_RATE => Some((good * 2.0).min(MAX_RATE)),
            (None, Some(bad)) if bad > min => Some((bad / DESCENT).max(min)),
            (Some(good), Some(bad)) if bad > good * (1.0 + PRECISION) => {
                Some(f64::midpoint(good, bad))
            }
            _ => None,
        };
    }
    Ok((good, limit))
}

/// Measures a rate, several times if it is exceeded.
fn step<E>(
    rate: f64,
    measure: &mut impl FnMut(f64, Purpose) -> Result<Finding, E>,
) -> Result<Finding, E> {
    let mut finding = measure(rate, Purpose::Step)?;
    for _ in 1..ATTEMPTS {
        if matches!(finding, Finding::Holds | Finding::Limited(Limit::Broken)) {
            break;
        }
        finding = measure(rate, Purpose::Step)?;
    }
    Ok(finding)
}

#[cfg(test)]
mod tests;
