//! The text of a duration and of a size, each in its longest exact unit.

use std::{fmt, time::Duration};

/// Writes a duration in one unit, exactly: `50ms`, `90m`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Duration);

/// Writes a number of bytes in one unit of powers of 1,024, exactly: `1MB`, `1000B`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) u64);

/// The units of durations and their nanoseconds, the longest first.
const TIMES: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The units of sizes and their bytes, the largest first.
const SIZES: [(&str, u64); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let exact = TIMES.iter().find(|(_, unit)| nanos != 0 && nanos.is_multiple_of(*unit));
        let (name, unit) = exact.copied().unwrap_or(("s", 1_000_000_000));
        write!(f, "{}{name}", nanos / unit)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = SIZES.iter().find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit));
        let (name, unit) = exact.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_longest_unit_that_is_exact() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "1ns"),
            (Duration::from_micros(1_500), "1500us"),
            (Duration::from_millis(50), "50ms"),
            (Duration::from_secs(90), "90s"),
            (Duration::from_mins(90), "90m"),
            (Duration::from_hours(48), "48h"),
        ] {
            assert_eq!(Time(duration).to_string(), text);
        }
    }

    #[test]
    fn a_size_has_the_largest_unit_that_is_exact() {
        for (bytes, text) in [
            (0, "0B"),
            (1, "1B"),
            (1000, "1000B"),
            (65_536, "64kB"),
            (1 << 20, "1MB"),
            (3 << 30, "3GB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
