//! Numbers and times with units that people read.

use std::time::Duration;

/// Returns a count: `9999`, `34.5k`, `1.2M`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn count(count: u64) -> String {
    match count {
        ..10_000 => count.to_string(),
        _ => scaled(count as f64, "", &["", "k", "M", "G", "T", "P", "E"]),
    }
}

/// Returns a count of things: `1 message`, `34.5k messages`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// Returns a number of bytes: `999 B`, `1.2 MB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn bytes(count: u64) -> String {
    scaled(count as f64, " ", &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Returns a number of events per second: `0.3`, `34.5k`.
pub(super) fn rate(per_second: f64) -> String {
    scaled(per_second, "", &["", "k", "M", "G", "T"])
}

/// Returns a number of bytes per second: `1.2 MB`.
pub(super) fn byte_rate(per_second: f64) -> String {
    scaled(per_second, " ", &["B", "kB", "MB", "GB", "TB"])
}

/// Returns a latency: `850 ns`, `12 us`, `1.2 ms`, `3.4 s`.
pub(super) fn latency(seconds: f64) -> String {
    scaled(seconds * 1e9, " ", &["ns", "us", "ms", "s"])
}

/// Returns a share: `2 %`.
pub(super) fn share(ratio: f64) -> String {
    format!("{:.0} %", finite(ratio) * 100.0)
}

/// Returns a long time in its two largest units: `45s`, `3h 12m`, `2d 3h`.
pub(in crate::cli::status) fn span(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

/// Returns a number with the unit that leaves up to three digits before the point.
fn scaled(number: f64, space: &str, units: &[&str]) -> String {
    let mut number = finite(number);
    let mut unit = 0;
    // 999.5 is shown as 1000 by its unit, and as 1.0 by the next one.
    while number >= 999.5 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    let is_whole = (number * 10.0).round() % 10.0 == 0.0;
    let has_fraction = !is_whole && number < if unit == 0 { 9.95 } else { 99.95 };
    let decimals = usize::from(has_fraction);
    format!("{number:.decimals$}{space}{}", units[unit])
}

/// Returns zero for a number that no server should send.
fn finite(number: f64) -> f64 {
    if number.is_finite() && number > 0.0 { number } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_bytes_have_up_to_three_digits_before_a_unit() {
        for (number, shown) in [
            (0, "0"),
            (7, "7"),
            (9999, "9999"),
            (10_000, "10k"),
            (34_540, "34.5k"),
            (99_949, "99.9k"),
            (99_950, "100k"),
            (999_499, "999k"),
            (999_500, "1M"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(count(number), shown, "{number}");
        }
        assert_eq!([counted(0, "probe"), counted(1, "probe")], ["0 probes", "1 probe"]);
        for (number, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1049, "1 kB"),
            (1_240_000, "1.2 MB"),
            (12_000_000_000, "12 GB"),
        ] {
            assert_eq!(bytes(number), shown, "{number}");
        }
    }

    #[test]
    fn a_rate_below_ten_has_a_digit_after_the_point_unless_it_is_whole() {
        for (number, shown) in [
            (0.0, "0"),
            (0.04, "0"),
            (0.3, "0.3"),
            (1.0, "1"),
            (5.98, "6"),
            (9.94, "9.9"),
            (9.96, "10"),
            (12.6, "13"),
            (34_500.0, "34.5k"),
        ] {
            assert_eq!(rate(number), shown, "{number}");
        }
        assert_eq!(byte_rate(1_240_000.0), "1.2 MB");
    }

    #[test]
    fn a_number_that_makes_no_sense_is_zero() {
        for number in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(
                (rate(number), share(number), span(number)),
                ("0".into(), "0 %".into(), "0s".into())
            );
        }
    }

    #[test]
    fn a_latency_is_in_the_unit_that_fits() {
        for (seconds, shown) in [
            (8.5e-7, "850 ns"),
            (1.24e-5, "12.4 us"),
            (0.000_999_6, "1 ms"),
            (0.25, "250 ms"),
            (3.42, "3.4 s"),
            (7200.0, "7200 s"),
        ] {
            assert_eq!(latency(seconds), shown, "{seconds}");
        }
    }

    #[test]
    fn a_long_time_has_its_two_largest_units() {
        for (seconds, shown) in [
            (0.9, "0s"),
            (59.9, "59s"),
            (60.0, "1m 0s"),
            (3599.0, "59m 59s"),
            (11_520.0, "3h 12m"),
            (86_400.0 * 2.0 + 3600.0 * 3.5, "2d 3h"),
            (1e300, "0s"),
        ] {
            assert_eq!(span(seconds), shown, "{seconds}");
        }
    }
}
