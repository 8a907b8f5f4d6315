//! Range of message sizes.

use std::str::FromStr;

use crate::echo::message::MAX_MESSAGE_BYTES;

/// Sizes that messages may have, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeRange {
    /// Minimum size.
    pub(crate) min: u32,
    /// Maximum size.
    pub(crate) max: u32,
}

impl FromStr for SizeRange {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let (min, max) = typed.split_once('-').unwrap_or((typed, typed));
        match (min.parse(), max.parse()) {
            (Ok(min), Ok(max)) if 1 <= min && min <= max && max as usize <= MAX_MESSAGE_BYTES => {
                Ok(Self { min, max })
            }
            _ => Err(format!("expected 1 to {MAX_MESSAGE_BYTES}, or a range of them as MIN-MAX")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_one_size_or_a_range() {
        assert_eq!("64".parse(), Ok(SizeRange { min: 64, max: 64 }));
        assert_eq!("1-16777216".parse(), Ok(SizeRange { min: 1, max: 16_777_216 }));
        for invalid in ["", "0", "0-5", "9-5", "-5", "5-", "1-2-3", "16777217", "64k"] {
            assert!(invalid.parse::<SizeRange>().is_err(), "{invalid:?}");
        }
    }
}
