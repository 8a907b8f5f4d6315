//! A share of connections or messages.

use std::fmt;

/// A share from 0 to 1, in steps of a millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(1_000_000);

    /// Creates a share of this many millionths. `None`: it is more than everything.
    #[must_use]
    pub fn from_millionths(millionths: u32) -> Option<Self> {
        (millionths <= Self::ALL.0).then_some(Self(millionths))
    }

    /// Returns the number of millionths.
    #[must_use]
    pub fn millionths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Share {
    /// Writes a percentage: `5%`, `0.1%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, self.0 % 10_000);
        let fraction = format!("{fraction:04}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            fraction => write!(f, "{whole}.{fraction}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_a_percentage() {
        for (millionths, text) in
            [(0, "0%"), (1, "0.0001%"), (1_000, "0.1%"), (50_000, "5%"), (1_000_000, "100%")]
        {
            assert_eq!(Share::from_millionths(millionths).unwrap().to_string(), text);
        }
        assert_eq!(Share::from_millionths(1_000_001), None);
    }
}
