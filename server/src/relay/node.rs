//! The identity of a server among those that share rooms.

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
};

/// The identity of a server: 64 random bits from its start on. Two servers with one name or one configuration differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node(pub(super) u64);

impl Node {
    /// Returns a new identity.
    pub(super) fn random() -> Self {
        Self(random())
    }
}

impl fmt::Display for Node {
    /// Writes the tag of the server: six hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0 >> 40)
    }
}

/// Returns a random number. It is not for secrets.
pub(super) fn random() -> u64 {
    // Each state has a random key.
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_six_digits_and_identities_differ() {
        assert_eq!(Node(0x00b2_c3ff_ffff_ffff).to_string(), "00b2c3");
        assert_ne!(Node::random(), Node::random());
    }
}
