//! Values on a command line: parsed, or refused with a message of one line.

use std::{fmt::Debug, time::Duration};

use common::cli::{TimeLimit, at_least_one, duration, positive_duration, time_limit};
use humantime::format_duration;

/// Parses the input as a value, and its first bytes as the number of a valid one.
///
/// # Panics
///
/// If the parsers disagree, or a message does not name the expected form.
pub fn check(input: &[u8]) {
    let typed = String::from_utf8_lossy(input);

    let time = value_or_one_line(duration(&typed));
    let positive = time.filter(|time| !time.is_zero());
    assert_eq!(value_or_one_line(positive_duration(&typed)), positive, "{typed:?}");
    let limit = value_or_one_line(time_limit(&typed));
    match &*typed {
        "off" => assert_eq!(limit, Some(TimeLimit(None))),
        _ => assert_eq!(limit, positive.map(|time| TimeLimit(Some(time))), "{typed:?}"),
    }
    if let Some(time) = time {
        assert_reads_back(time);
    }
    let count = value_or_one_line(at_least_one(&typed));
    assert_eq!(
        count.map(usize::from),
        whole_number(&typed).filter(|&number| number > 0),
        "{typed:?}"
    );

    if let Some((bytes, _)) = input.split_first_chunk() {
        let number = u64::from_be_bytes(*bytes);
        assert_reads_back(Duration::from_nanos(number));
        let number = number >> 32;
        assert_eq!(duration(&format!("{number}ms")), Ok(Duration::from_millis(number)));
        assert_eq!(duration(&format!("{number} s")), Ok(Duration::from_secs(number)));
        assert_eq!(duration(&format!("{number}m")), Ok(Duration::from_secs(60 * number)));
    }
}

fn value_or_one_line<T: Debug>(parsed: Result<T, String>) -> Option<T> {
    parsed
        .inspect_err(|error| {
            assert!(error.starts_with("expected ") && !error.contains('\n'), "{error:?}");
        })
        .ok()
}

fn assert_reads_back(time: Duration) {
    let shown = format_duration(time).to_string();
    // A month or a year, which a message shows, is not accepted as input.
    if shown.contains("month") || shown.contains("year") {
        assert!(duration(&shown).is_err(), "{shown}");
    } else {
        assert_eq!(duration(&shown), Ok(time), "{shown}");
    }
}

/// Parses digits, after a plus sign or not.
fn whole_number(typed: &str) -> Option<usize> {
    let digits = typed.strip_prefix('+').unwrap_or(typed);
    let number = |number: usize, digit: char| {
        number.checked_mul(10)?.checked_add(digit.to_digit(10)? as usize)
    };
    if digits.is_empty() { None } else { digits.chars().try_fold(0, number) }
}
