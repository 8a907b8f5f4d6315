//! What is typed on a command line: understood, or refused in one line.

use std::{fmt::Debug, time::Duration};

use common::cli::{TimeLimit, at_least_one, duration, positive_duration, time_limit};
use humantime::format_duration;

/// The input as it would be typed, and its first bytes as figures to be typed well.
///
/// # Panics
///
/// If the parsers disagree, or one does not say what it wants.
pub fn check(input: &[u8]) {
    let typed = String::from_utf8_lossy(input);

    let time = refused_in_a_line(duration(&typed));
    let positive = time.filter(|time| !time.is_zero());
    assert_eq!(refused_in_a_line(positive_duration(&typed)), positive, "{typed:?}");
    let limit = refused_in_a_line(time_limit(&typed));
    match &*typed {
        "off" => assert_eq!(limit, Some(TimeLimit(None))),
        _ => assert_eq!(limit, positive.map(|time| TimeLimit(Some(time))), "{typed:?}"),
    }
    if let Some(time) = time {
        assert_reads_back(time);
    }
    let number = refused_in_a_line(at_least_one(&typed));
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

fn refused_in_a_line<T: Debug>(understood: Result<T, String>) -> Option<T> {
    understood
        .inspect_err(|mistake| {
            assert!(mistake.starts_with("expected ") && !mistake.contains('\n'), "{mistake:?}");
        })
        .ok()
}

fn assert_reads_back(time: Duration) {
    let shown = format_duration(time).to_string();
    assert_eq!(duration(&shown), Ok(time), "{shown}");
}

/// A number in digits, which may have a plus sign.
fn whole_number(typed: &str) -> Option<usize> {
    let digits = typed.strip_prefix('+').unwrap_or(typed);
    let number = |number: usize, digit: char| {
        number.checked_mul(10)?.checked_add(digit.to_digit(10)? as usize)
    };
    if digits.is_empty() { None } else { digits.chars().try_fold(0, number) }
}
