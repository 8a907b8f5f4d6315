//! UTF-8 of a text whose bytes arrive in parts.

use std::str;

/// Check of one text after the other.
///
/// It keeps a character of which only the first bytes have arrived.
///
/// ```
/// use common::utf8::Utf8;
///
/// let mut utf8 = Utf8::default();
/// assert!(utf8.check(b"caf\xc3") && utf8.check(b"\xa9") && utf8.end());
/// assert!(!utf8.check(b"\xff"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    bytes: [u8; 4],
    len: u8,
}

impl Utf8 {
    /// Checks the next bytes. Returns whether the text can still become valid: false at the first wrong byte.
    #[must_use]
    pub fn check(&mut self, mut bytes: &[u8]) -> bool {
        while self.len > 0 {
            let [first, rest @ ..] = bytes else { return true };
            let len = usize::from(self.len);
            self.bytes[len] = *first;
            self.len += 1;
            bytes = rest;
            match str::from_utf8(&self.bytes[..=len]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let incomplete = &bytes[error.valid_up_to()..];
                self.bytes[..incomplete.len()].copy_from_slice(incomplete);
                self.len = incomplete.len().to_le_bytes()[0];
                true
            }
        }
    }

    /// Returns whether the text may end here. Begins the next one.
    pub fn end(&mut self) -> bool {
        std::mem::take(&mut self.len) == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_in_parts_is_judged_like_the_whole(
            text in "\\PC{0,20}",
            garbage in proptest::collection::vec(any::<u8>(), 0..6),
            at in 0..100_usize,
            sizes in proptest::collection::vec(1..5_usize, 1..50),
        ) {
            let mut bytes = text.into_bytes();
            let at = at.min(bytes.len());
            bytes.splice(at..at, garbage);
            let (mut utf8, mut valid, mut from) = (Utf8::default(), true, 0);
            for size in sizes.into_iter().cycle() {
                if from == bytes.len() || !valid { break }
                let to = (from + size).min(bytes.len());
                valid = utf8.check(&bytes[from..to]);
                let error = str::from_utf8(&bytes[..to]).err();
                prop_assert_eq!(valid, error.is_none_or(|error| error.error_len().is_none()));
                from = to;
            }
            if valid { prop_assert_eq!(utf8.end(), str::from_utf8(&bytes).is_ok()) }
        }
    }
}
