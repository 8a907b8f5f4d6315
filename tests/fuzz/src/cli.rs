//! Values on a command line: accepted, or refused in one line.

use std::{fmt::Debug, time::Duration};

use common::cli::{TimeLimit, at_least_one, duration, positive_duration, time_limit};
use humantime::format_duration;

/// Checks the input as a value, and its first bytes as a number in valid values.
///
/// # Panics
///
/// If the parsers disagree, or if an error does not name the expected form.
pub fn check(input: &[u8]) {
    let typed = String::from_utf8_lossy(input);

    let time = accepted(duration(&typed));
    let positive = time.filter(|time| !time.is_zero());
    assert_eq!(accepted(positive_duration(&typed)), positive, "{typed:?}");
    let limit = accepted(time_limit(&typed));
    match &*typed {
        "off" => assert_eq!(limit, Some(TimeLimit(None))),
        _ => assert_eq!(limit, positive.map(|time| TimeLimit(Some(time))), "{typed:?}"),
    }
    if let Some(time) = time {
        assert_reads_back(time);
    }
    let number = accepted(at_least_one(&typed));
    assert_eq!(
        number.map(usize::from),
        whole_number(&typed).filter(|&number| number > 0),
        "{typed:?}"
    );

    if let Some((bytes, _)) = input.split_first_chunk() {
        let figure = u64::from_be_bytes(*bytes);
        assert_reads_back(Duration::from_nanos(figure));
        let figure = figure >> 32;
        assert_eq!(duration(&format!("{figure}ms")), Ok(Duration::from_millis(figure)));
        assert_eq!(duration(&format!("{figure} s")), Ok(Duration::from_secs(figure)));
        assert_eq!(duration(&format!("{figure}m")), Ok(Duration::from_secs(60 * figure)));
    }
}

fn accepted<T: Debug>(parsed: Result<T, String>) -> Option<T> {
    parsed
        .inspect_err(|error| {
            assert!(error.starts_with("expected ") && !error.contains('\n'), "{error:?}");
        })
        .ok()
}

fn assert_reads_back(time: Duration) {
    let shown = format_duration(time).to_string();
    assert_eq!(duration(&shown), Ok(time), "{shown}");
}

/// Parses a whole number, which may have a plus sign.
fn whole_number(typed: &str) -> Option<usize> {
    let digits = typed.strip_prefix('+').unwrap_or(typed);
    let number = |number: usize, digit: char| {
        number.checked_mul(10)?.checked_add(digit.to_digit(10)? as usize)
    };
    if digits.is_empty() { None } else { digits.chars().try_fold(0, number) }
}
