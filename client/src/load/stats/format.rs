//! Figures as text for people.

use std::time::Duration;

/// Formats a time in nanoseconds with three digits and a suitable unit.
pub(crate) fn time(nanos: u64) -> String {
    if nanos < 1_000 {
        return format!("{nanos} ns");
    }
    let exact = float(nanos);
    for (unit, size) in [("\u{b5}s", 1e3), ("ms", 1e6)] {
        let digits = three_digits(exact / size);
        // A value that rounds to a thousand takes the next unit.
        if !digits.starts_with("1000") && exact < size * 1e3 {
            return format!("{digits} {unit}");
        }
    }
    format!("{} s", three_digits(exact / 1e9))
}

/// Formats a count with thousands separators.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a count with its noun, in the plural if needed.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

/// Formats a rate per second, without a fraction from 100 on.
pub(crate) fn rate(rate: f64) -> String {
    if rate < 100.0 {
        format!("{}/s", three_digits(rate))
    } else {
        format!("{}/s", count(whole(rate)))
    }
}

/// Formats bytes per second.
pub(crate) fn bytes_per_second(rate: f64) -> String {
    for (unit, size) in [("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)] {
        if rate >= size {
            return format!("{} {unit}", three_digits(rate / size));
        }
    }
    format!("{rate:.0} B/s")
}

/// Formats a share, of 1, in percent.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Formats a part of a whole in percent, with three digits.
pub(crate) fn share(part: u64, whole: u64) -> String {
    percents(100.0 * float(part) / float(whole.max(1)))
}

/// Formats percents with three digits.
pub(crate) fn percents(percents: f64) -> String {
    format!("{} %", three_digits(percents))
}

/// Returns a time in nanoseconds, or the maximum if it does not fit.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn three_digits(number: f64) -> String {
    if number < 9.995 {
        format!("{number:.2}")
    } else if number < 99.95 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}

/// Returns the smallest of 1, 2 and 5 times a power of ten that is not below a positive number, but for a rounding error.
pub(crate) fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|digit| digit * power);
    steps.into_iter().find(|step| *step >= number * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are positive, and rounded"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_up_to_1_2_or_5_times_a_power_of_ten() {
        let cases = [(1.0, 1.0), (1000.0, 1000.0), (1000.5, 2000.0), (0.3, 0.5), (51.0, 100.0)];
        for (number, expected) in cases {
            assert!((round_up(number) / expected - 1.0).abs() < 1e-9, "{number}");
        }
    }

    #[test]
    fn a_time_has_three_digits_and_a_unit() {
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(1_234), "1.23 \u{b5}s");
        assert_eq!(time(45_678_000), "45.7 ms");
        assert_eq!(time(999_999_999), "1.00 s");
        assert_eq!(time(3_600_000_000_000), "3600 s");
    }

    #[test]
    fn a_count_has_thousands_separators() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn a_noun_has_the_number_of_its_count() {
        assert_eq!(plural(1, "message"), "1 message");
        assert_eq!(plural(1_000, "message"), "1,000 messages");
        assert_eq!(plural(2, "process"), "2 processes");
    }

    #[test]
    fn a_high_rate_has_no_fraction() {
        assert_eq!(rate(52_310.4), "52,310/s");
        assert_eq!(rate(2.25), "2.25/s");
    }

    #[test]
    fn bytes_per_second_have_a_decimal_unit() {
        assert_eq!(bytes_per_second(7_890_000.0), "7.89 MB/s");
        assert_eq!(bytes_per_second(64.0), "64 B/s");
    }

    #[test]
    fn a_share_of_1_is_shown_in_percent() {
        assert_eq!(percent(0.0312), "3.1 %");
        assert_eq!(percent(0.97), "97 %");
    }

    #[test]
    fn a_part_of_a_whole_is_shown_in_percent() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(5, 10_000), "0.05 %");
    }

    #[test]
    fn percents_have_three_digits() {
        assert_eq!(percents(0.054), "0.05 %");
    }
}
