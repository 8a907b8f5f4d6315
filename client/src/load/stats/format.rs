//! Figures as people read them.

/// A time in nanoseconds, to three digits, with the unit that suits it.
///
/// ```ignore
/// use client::load::stats::format::time;
/// assert_eq!(time(999), "999 ns");
/// assert_eq!(time(1_234), "1.23 \u{b5}s");
/// assert_eq!(time(45_678_000), "45.7 ms");
/// assert_eq!(time(999_999_999), "1.00 s");
/// assert_eq!(time(3_600_000_000_000), "3600 s");
/// ```ignore
#[must_use]
pub fn time(nanos: u64) -> String {
    if nanos < 1_000 {
        return format!("{nanos} ns");
    }
    let exact = float(nanos);
    for (unit, size) in [("\u{b5}s", 1e3), ("ms", 1e6)] {
        let digits = three_digits(exact / size);
        // What rounds to a thousand belongs to the next unit.
        if !digits.starts_with("1000") && exact < size * 1e3 {
            return format!("{digits} {unit}");
        }
    }
    format!("{} s", three_digits(exact / 1e9))
}

/// A count with its thousands set apart.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::count(1_234_567), "1,234,567");
/// assert_eq!(client::load::stats::format::count(999), "999");
/// ```ignore
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of something.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::plural(1, "message"), "1 message");
/// assert_eq!(client::load::stats::format::plural(1_000, "message"), "1,000 messages");
/// assert_eq!(client::load::stats::format::plural(2, "process"), "2 processes");
/// ```ignore
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

/// Something a second, whole where the fraction says nothing.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::rate(52_310.4), "52,310/s");
/// assert_eq!(client::load::stats::format::rate(2.25), "2.25/s");
/// ```ignore
#[must_use]
pub fn rate(rate: f64) -> String {
    if rate < 100.0 {
        format!("{}/s", three_digits(rate))
    } else {
        format!("{}/s", count(whole(rate)))
    }
}

/// Bytes a second.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::bytes_per_second(7_890_000.0), "7.89 MB/s");
/// assert_eq!(client::load::stats::format::bytes_per_second(64.0), "64 B/s");
/// ```ignore
#[must_use]
pub fn bytes_per_second(rate: f64) -> String {
    for (unit, size) in [("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)] {
        if rate >= size {
            return format!("{} {unit}", three_digits(rate / size));
        }
    }
    format!("{rate:.0} B/s")
}

/// A share of 1 in percent.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::percent(0.0312), "3.1 %");
/// assert_eq!(client::load::stats::format::percent(0.97), "97 %");
/// ```ignore
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A part of a whole in percent, to three digits.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::share(1, 3), "33.3 %");
/// assert_eq!(client::load::stats::format::share(5, 10_000), "0.05 %");
/// ```ignore
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    percents(100.0 * float(part) / float(whole.max(1)))
}

/// Percents, to three digits.
///
/// ```ignore
/// assert_eq!(client::load::stats::format::percents(0.054), "0.05 %");
/// ```ignore
#[must_use]
pub fn percents(percents: f64) -> String {
    format!("{} %", three_digits(percents))
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
