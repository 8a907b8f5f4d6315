//! The time of an argument.

use common::cli::duration;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Parses a time, and returns it in Unix microseconds: a duration before now, or a date with or without a time of day, in
/// local time unless it has a zone. A clap `value_parser`.
pub(super) fn moment(typed: &str) -> Result<i64, String> {
    if let Ok(ago) = duration(typed) {
        let ago = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        #[expect(clippy::disallowed_methods, reason = "the history has the time of the wall clock")]
        let now = Timestamp::now();
        return Ok(now.as_microsecond().saturating_sub(ago));
    }
    let local = |at: DateTime| TimeZone::system().to_timestamp(at).ok();
    let moment = typed.parse::<Timestamp>().ok().or_else(|| typed.parse().ok().and_then(local));
    moment.map(Timestamp::as_microsecond).ok_or_else(|| {
        "expected a duration like 1h, a date like 2026-01-31, or a time like '2026-01-31 10:30' or \
         2026-01-31T10:30Z"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_duration_or_a_date_and_anything_else_is_an_error() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert_eq!(moment("1970-01-01T02:00:00+02:00"), Ok(0));
        assert!(moment("1h").unwrap() < moment("1s").unwrap());
        assert_eq!(
            moment("2026-01-31 10:30").unwrap() - moment("2026-01-31").unwrap(),
            (10 * 3600 + 30 * 60) * 1_000_000
        );
        for wrong in ["", "now", "5", "2026-13-01", "10:30"] {
            assert!(moment(wrong).unwrap_err().starts_with("expected a duration"), "{wrong}");
        }
    }
}
