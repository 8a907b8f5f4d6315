//! Parsers for the values of arguments: durations, time limits, counts.

use std::{num::NonZeroUsize, time::Duration};

/// Parses a duration such as `500ms`, `30s`, `5m` or `1h 30m`. A clap `value_parser`.
///
/// # Errors
///
/// A message that names the expected form.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(common::cli::duration("500ms"), Ok(Duration::from_millis(500)));
/// assert!(common::cli::duration("5").is_err());
/// ```
pub fn duration(typed: &str) -> Result<Duration, String> {
    humantime::parse_duration(typed)
        .map_err(|_| "expected a duration like 500ms, 30s or 5m".to_owned())
}

/// Parses a [`duration`] that is longer than zero. A clap `value_parser`.
///
/// # Errors
///
/// A message that names the expected form.
pub fn positive_duration(typed: &str) -> Result<Duration, String> {
    match duration(typed)? {
        Duration::ZERO => Err("expected a duration longer than zero".to_owned()),
        positive => Ok(positive),
    }
}

/// Parses a count of at least one. A clap `value_parser`.
///
/// # Errors
///
/// A message that names the expected form.
pub fn at_least_one(typed: &str) -> Result<NonZeroUsize, String> {
    typed.parse().map_err(|_| "expected a whole number, at least 1".to_owned())
}

/// Time limit; `None` turns it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit(pub Option<Duration>);

/// Parses a time limit: a positive [`duration`], or `off`. A clap `value_parser`.
///
/// # Errors
///
/// A message that names the expected form.
///
/// ```
/// use common::cli::{TimeLimit, time_limit};
/// assert_eq!(time_limit("off"), Ok(TimeLimit(None)));
/// assert!(time_limit("0s").is_err());
/// ```
pub fn time_limit(typed: &str) -> Result<TimeLimit, String> {
    if typed == "off" {
        return Ok(TimeLimit(None));
    }
    match positive_duration(typed) {
        Ok(limit) => Ok(TimeLimit(Some(limit))),
        Err(_) => Err("expected a duration like 500ms, 30s or 5m, or off".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_unit_and_a_time_limit_accepts_off() {
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(time_limit("30s"), Ok(TimeLimit(Some(Duration::from_secs(30)))));
        for wrong in ["", "5", "-1s", "soon", "0s"] {
            assert!(time_limit(wrong).is_err(), "{wrong:?}");
        }
    }
}
