//! Parsers for the values of arguments: durations, time limits, counts.

use std::{num::NonZeroUsize, time::Duration};

/// Units of durations, short and long. Months and years are missing: their length varies, and `M` is too similar to
/// `m`.
const UNITS: [&str; 32] = [
    "ns", "nsec", "us", "µs", "usec", "ms", "msec", "millis", "s", "sec", "secs", "second",
    "seconds", "m", "min", "mins", "minute", "minutes", "h", "hr", "hrs", "hour", "hours", "d",
    "day", "days", "w", "wk", "wks", "week", "weeks", "nanos",
];

/// The expected form of a duration.
const FORM: &str = "expected a duration like 500ms, 30s or 5m";

/// Parses a duration such as `500ms`, `30s`, `5m` or `1h 30m`, with the units `ns`, `us`, `ms`, `s`, `m` (minutes),
/// `h`, `d` and `w`. A clap `value_parser`.
///
/// # Errors
///
/// A message that names the expected form.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(common::cli::duration("500ms"), Ok(Duration::from_millis(500)));
/// assert!(common::cli::duration("5").is_err());
/// assert!(common::cli::duration("5M").is_err());
/// ```
pub fn duration(typed: &str) -> Result<Duration, String> {
    parse(typed).map_err(|hint| format!("{FORM}{hint}"))
}

/// Parses a duration. The error is what follows the expected form in the message.
fn parse(typed: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(typed).map_err(|_| String::new())?;
    let mut units = typed.split(|char: char| !char.is_alphabetic()).filter(|unit| !unit.is_empty());
    match units.find(|unit| !UNITS.contains(unit)) {
        None => Ok(duration),
        Some(unit) => Err(format!("; the unit '{unit}' is not one of ns, us, ms, s, m, h, d, w")),
    }
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
    let limit = parse(typed).and_then(|limit| {
        if limit.is_zero() { Err(String::new()) } else { Ok(TimeLimit(Some(limit))) }
    });
    limit.map_err(|hint| format!("{FORM}, or off{hint}"))
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

    #[test]
    fn every_unit_up_to_weeks_is_accepted_and_months_and_years_are_not() {
        for unit in UNITS {
            assert!(duration(&format!("5{unit}")).is_ok(), "{unit}");
        }
        for unit in ["M", "month", "months", "y", "yr", "year", "years", "S", "H", "Min"] {
            let error = duration(&format!("1h 5{unit}")).unwrap_err();
            assert!(
                error.starts_with("expected a duration like 500ms, 30s or 5m"),
                "{unit}: {error}"
            );
        }
        assert_eq!(
            time_limit("5M").unwrap_err(),
            "expected a duration like 500ms, 30s or 5m, or off; the unit 'M' is not one of ns, us, ms, s, m, h, d, w"
        );
    }
}
