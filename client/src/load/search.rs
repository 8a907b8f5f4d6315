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
mod tests;
