//! The running total of one direction.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::digest::Digest;

/// The bytes of one direction so far.
#[derive(Clone, Default)]
pub struct Tally {
    bytes: u64,
    messages: u64,
    sha256: Sha256,
}

impl Tally {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    /// Adds messages. The number is negative if earlier ones were not messages, but pieces of one.
    pub fn add_messages(&mut self, messages: isize) {
        self.messages = self.messages.saturating_add_signed(messages as i64);
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the total of the bytes so far.
    #[must_use]
    pub fn total(&self) -> Total {
        let sha256 = Digest::new(self.sha256.clone().finalize().into());
        Total { bytes: self.bytes, messages: self.messages, sha256 }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, messages, sha256: _ } = self;
        let mut tally = f.debug_struct("Tally");
        tally.field("bytes", bytes).field("messages", messages).finish_non_exhaustive()
    }
}

/// The bytes of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Number of bytes.
    pub bytes: u64,
    /// Number of messages, as the server's log counts them. It is for people: how many reads or frames a message took is no
    /// loss, so a [comparison](super::Comparison) leaves it out.
    pub messages: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
}

impl Total {
    /// Returns the total of bytes that are all there, without messages.
    ///
    /// ```
    /// use common::receipt::{Tally, Total};
    /// let mut tally = Tally::default();
    /// tally.update(b"hel");
    /// tally.update(b"lo");
    /// assert_eq!(Total::of(b"hello"), tally.total());
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut tally = Tally::default();
        tally.update(bytes);
        tally.total()
    }
}
