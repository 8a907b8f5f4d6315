//! SHA-256 and HMAC-SHA-256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// A hash, or a key of the same length.
pub type Key = [u8; 32];

/// Returns HMAC-SHA-256 of the concatenation of `parts`.
///
/// # Panics
///
/// Never: a key may have any length.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Returns whether two values are equal, in a time that depends on their lengths alone.
#[must_use]
pub fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Returns SHA-256 of `bytes`.
#[must_use]
pub fn hash(bytes: &[u8]) -> Key {
    Sha256::digest(bytes).into()
}
