//! The parsers of the figures of a fault.

use std::{num::NonZeroU64, time::Duration};

use crate::config::{
    faults::{rule::Window, share::Share},
    limits::FAULT_SIZE,
};

/// The expected form of a duration.
const DURATION: &str = "expected a duration like 50ms, 5s or 1m";

/// The expected form of a size.
pub(super) const SIZE: &str = "expected a size like 512, 64kB or 1MB";

/// Refusal of a size over the limit.
pub(in crate::config) const TOO_LARGE: &str =
    "the largest size is 1073741824GB, which is 2^60 bytes";

const _: () = assert!(FAULT_SIZE == 1 << 60, "the limit is in the text");

/// Reason why a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SizeError {
    Form,
    TooLarge,
}

impl SizeError {
    /// Returns the message. `form`: the expected form of the whole value.
    pub(super) fn message(self, form: &str) -> String {
        let text = if self == Self::TooLarge { TOO_LARGE } else { form };
        text.to_owned()
    }
}

/// The expected form of a window.
pub(super) const WINDOW: &str = "expected the time in which it applies, like 10s..20s, counted from the moment at which the listener \
                                 got its faults";

/// The units of durations. Others, such as months, have no fixed length.
const UNITS: [&str; 9] = ["ns", "us", "µs", "ms", "s", "m", "h", "d", "w"];

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let mut units = text.split(|char: char| !char.is_alphabetic()).filter(|unit| !unit.is_empty());
    match humantime::parse_duration(text) {
        Ok(duration) if units.all(|unit| UNITS.contains(&unit)) => Ok(duration),
        _ => Err(DURATION.to_owned()),
    }
}

/// Parses a number of bytes, with a unit of powers of 1,024.
pub(super) fn size(text: &str) -> Result<u64, SizeError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "B" => 1_u64,
        "kB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        _ => return Err(SizeError::Form),
    };
    if number.is_empty() {
        return Err(SizeError::Form);
    }
    // Digits that are no number of 64 bits are too many.
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes <= FAULT_SIZE).ok_or(SizeError::TooLarge)
}

pub(super) fn positive_size(text: &str) -> Result<NonZeroU64, SizeError> {
    NonZeroU64::new(size(text)?).ok_or(SizeError::Form)
}

/// Parses `64kB/s`.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let per_second = text.strip_suffix("/s").ok_or(SizeError::Form).and_then(positive_size);
    per_second.map_err(|error| error.message("expected a rate of at least 1B/s, like 64kB/s"))
}

/// Parses the length of a block with one damaged byte: `1/MB`, `3/GB` or `1/4096`.
pub(super) fn block(text: &str) -> Result<NonZeroU64, String> {
    let block = || {
        let (count, bytes) = text.split_once('/').ok_or(SizeError::Form)?;
        let count = whole(count).and_then(NonZeroU64::new).ok_or(SizeError::Form)?;
        let one = if bytes.starts_with(|char: char| char.is_ascii_digit()) { "" } else { "1" };
        NonZeroU64::new(size(&format!("{one}{bytes}"))? / count).ok_or(SizeError::Form)
    };
    block().map_err(|error| {
        error.message("expected a number of bytes in a larger size, like 1/MB, 3/GB or 1/4096")
    })
}

/// Parses a share: `5%`, `0.1%` or `1/200`.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let millionths = text.strip_suffix('%').map_or_else(|| fraction(text), percentage);
    millionths.and_then(Share::from_millionths).ok_or_else(|| {
        "expected a share like 5%, 0.1% or 1/200, from 0% to 100% in steps of 0.0001%".to_owned()
    })
}

/// Parses a percentage with at most four decimals.
fn percentage(text: &str) -> Option<u32> {
    let (percent, decimals) = text.split_once('.').map_or((text, "0"), |parts| parts);
    let decimals = if decimals.len() <= 4 { format!("{decimals:0<4}") } else { return None };
    let is_empty = percent.is_empty() || text.ends_with('.');
    let millionths = whole(percent)?.checked_mul(10_000)?.checked_add(whole(&decimals)?)?;
    u32::try_from(millionths).ok().filter(|_| !is_empty)
}

/// Parses a fraction. One that is too small for a step is no share.
fn fraction(text: &str) -> Option<u32> {
    let (part, total) = text.split_once('/')?;
    let (part, total) = (u128::from(whole(part)?), u128::from(whole(total)?));
    let rounded = (part * 1_000_000 + total / 2).checked_div(total)?;
    let is_lost = rounded == 0 && part > 0 || part > total;
    u32::try_from(rounded).ok().filter(|_| !is_lost)
}

/// Parses `10s..20s`.
pub(super) fn window(text: &str) -> Result<Window, String> {
    let ends =
        text.split_once("..").and_then(|(from, to)| duration(from).ok().zip(duration(to).ok()));
    let window = ends.map(|(from, to)| from..to).filter(|window| !window.is_empty());
    window.ok_or_else(|| WINDOW.to_owned())
}

/// Parses a whole number without a sign.
pub(super) fn whole(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
