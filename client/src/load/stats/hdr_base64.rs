//! HDR histograms in base64, as in the HDR log format, from files that may be hostile.
//!
//! `hdrhistogram` allocates what the header of a histogram claims, and inflates without a limit.

use std::io::Read as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use hdrhistogram::{Histogram as HdrHistogram, serialization::Deserializer};

/// First bytes of a histogram (V2).
const COOKIE: u32 = 0x1c84_9313;

/// First bytes of a compressed histogram. Its length follows, and the histogram, compressed.
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;

/// Length of the cookie, of the length and of the other numbers before the counts.
const HEADER: usize = 40;

/// Maximum length of a histogram that is not compressed, in bytes. One with three digits, in nanoseconds up to an hour, has at most
/// 300 kB.
const MAX_LEN: usize = 16 << 20;

/// Maximum number of times in a histogram: numbers up to this are exact as floating point, and no load has more messages.
pub(crate) const MAX_COUNT: u64 = 1 << 53;

/// Reason why text is no histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHistogram {
    #[error("a histogram is not base64")]
    NotBase64,
    #[error("a histogram has an unknown format")]
    UnknownFormat,
    #[error("a histogram is shorter than it says")]
    TooShort,
    #[error("a histogram is damaged")]
    Damaged,
    #[error("a histogram has more than {} MiB", MAX_LEN >> 20)]
    TooLong,
    #[error("a histogram has more than 2^53 times")]
    TooManyTimes,
}

/// Decodes a histogram, compressed or not.
pub(super) fn decode(text: &str) -> Result<HdrHistogram<u64>, InvalidHistogram> {
    let bytes = STANDARD.decode(text).map_err(|_| InvalidHistogram::NotBase64)?;
    let plain = match number(&bytes, 0).ok_or(InvalidHistogram::UnknownFormat)? {
        COOKIE => bytes,
        COMPRESSED_COOKIE => inflate(&bytes)?,
        _ => return Err(InvalidHistogram::UnknownFormat),
    };
    check(&plain)?;
    let histogram: HdrHistogram<u64> =
        Deserializer::new().deserialize(&mut &plain[..]).map_err(|_| InvalidHistogram::Damaged)?;
    if histogram.len() > MAX_COUNT {
        return Err(InvalidHistogram::TooManyTimes);
    }
    Ok(histogram)
}

/// Returns what is compressed.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, InvalidHistogram> {
    let length = number(bytes, 4).and_then(|length| usize::try_from(length).ok());
    let compressed = length.and_then(|length| bytes.get(8..)?.get(..length));
    let compressed = compressed.ok_or(InvalidHistogram::TooShort)?;
    let mut plain = Vec::new();
    let limit = MAX_LEN as u64 + 1;
    ZlibDecoder::new(compressed)
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|_| InvalidHistogram::Damaged)?;
    if plain.len() > MAX_LEN { Err(InvalidHistogram::TooLong) } else { Ok(plain) }
}

/// Checks the header of a histogram that is not compressed: the counts are as long as it says. `hdrhistogram` checks the bounds of the values
/// and the number of digits before it allocates.
fn check(plain: &[u8]) -> Result<(), InvalidHistogram> {
    let cookie = number(plain, 0);
    let length = number(plain, 4).and_then(|length| usize::try_from(length).ok());
    match (cookie, length, plain.len().checked_sub(HEADER)) {
        (Some(COOKIE), Some(length), Some(left)) if length <= left => {
            let is_damaged = has_least(&plain[HEADER..HEADER + length]);
            if is_damaged { Err(InvalidHistogram::Damaged) } else { Ok(()) }
        }
        (Some(COOKIE), ..) => Err(InvalidHistogram::TooShort),
        _ => Err(InvalidHistogram::UnknownFormat),
    }
}

/// Returns `true` if one of the counts, each of one to nine bytes, is the least number, which `hdrhistogram` negates: that overflows.
fn has_least(mut counts: &[u8]) -> bool {
    while !counts.is_empty() {
        let last = counts.iter().take(8).position(|byte| byte & 0x80 == 0);
        let length = last.map_or(9, |last| last + 1).min(counts.len());
        let (count, rest) = counts.split_at(length);
        if count == [0xff; 9] {
            return true;
        }
        counts = rest;
    }
    false
}

/// Returns the number at an offset, in network order.
fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::ZlibEncoder};
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};

    use super::*;

    /// Returns a header for counts of this length, with these bounds and digits.
    fn header(length: u32, digits: u32, low: u64, high: u64) -> Vec<u8> {
        let numbers = [COOKIE, length, 0, digits].map(u32::to_be_bytes).concat();
        [&numbers[..], &low.to_be_bytes(), &high.to_be_bytes(), &1.0_f64.to_be_bytes()].concat()
    }

    fn compressed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        let deflated = encoder.finish().unwrap();
        let length = u32::try_from(deflated.len()).unwrap();
        [&COMPRESSED_COOKIE.to_be_bytes()[..], &length.to_be_bytes(), &deflated].concat()
    }

    fn error(bytes: &[u8]) -> InvalidHistogram {
        decode(&STANDARD.encode(bytes)).unwrap_err()
    }

    #[test]
    fn a_histogram_that_claims_to_be_longer_than_it_is_is_refused() {
        for length in [1, 4_000_000_000, u32::MAX] {
            let plain = header(length, 3, 1, 3_600_000_000_000);
            assert_eq!(error(&plain), InvalidHistogram::TooShort, "{length}");
            assert_eq!(error(&compressed(&plain)), InvalidHistogram::TooShort, "{length}");
        }
    }

    #[test]
    fn a_histogram_that_inflates_without_end_is_refused() {
        let length = u32::try_from(MAX_LEN).unwrap();
        let plain = [header(length, 3, 1, 3_600_000_000_000), vec![0; MAX_LEN]].concat();
        let bomb = compressed(&plain);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert_eq!(error(&bomb), InvalidHistogram::TooLong);
    }

    #[test]
    fn a_histogram_with_absurd_bounds_or_counts_is_refused() {
        for (digits, low, high) in [
            (6, 1, 1000),
            (u32::MAX, 1, 1000),
            (3, 0, 1000),
            (3, u64::MAX, u64::MAX),
            (3, u64::MAX / 2, u64::MAX),
            (3, 1000, 1001),
            (5, 1 << 60, u64::MAX),
        ] {
            let plain = header(0, digits, low, high);
            assert_eq!(error(&plain), InvalidHistogram::Damaged, "{digits} {low} {high}");
        }
        let mut many = HdrHistogram::<u64>::new(3).unwrap();
        many.record_n(1, MAX_COUNT + 1).unwrap();
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&many, &mut bytes).unwrap();
        assert_eq!(error(&bytes), InvalidHistogram::TooManyTimes);
        // The least number, of which there is no positive one.
        let zeros = [header(9, 3, 1, 1000), vec![0xff; 9]].concat();
        assert_eq!(error(&zeros), InvalidHistogram::Damaged);
    }

    #[test]
    fn other_bytes_are_no_histogram() {
        assert_eq!(decode("?").unwrap_err(), InvalidHistogram::NotBase64);
        for bytes in [&[][..], &[1, 2], &[0; 100], &compressed(&[0; 100])] {
            assert_eq!(error(bytes), InvalidHistogram::UnknownFormat, "{bytes:?}");
        }
        assert_eq!(error(&COMPRESSED_COOKIE.to_be_bytes()), InvalidHistogram::TooShort);
    }

    #[test]
    fn a_histogram_is_read_whether_it_is_compressed_or_not() {
        let mut histogram = HdrHistogram::<u64>::new_with_bounds(1, u64::MAX, 5).unwrap();
        histogram.record_n(1_000_000, MAX_COUNT).unwrap();
        let (mut plain, mut deflated) = (Vec::new(), Vec::new());
        V2Serializer::new().serialize(&histogram, &mut plain).unwrap();
        V2DeflateSerializer::new().serialize(&histogram, &mut deflated).unwrap();
        for bytes in [plain, deflated] {
            assert_eq!(decode(&STANDARD.encode(bytes)).unwrap(), histogram);
        }
    }
}
