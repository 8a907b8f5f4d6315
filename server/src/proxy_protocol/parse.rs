//! The entry point: chooses the version by the first bytes.

use super::{
    header::{Header, Malformed, may_begin_with},
    v1, v2,
};

/// Parses the header at the beginning of `bytes`. `None`: it is not complete yet. `max_len` limits a header of
/// version 2, in bytes.
///
/// More bytes never change the result for the present ones, so the result does not depend on how a header is
/// split.
///
/// # Errors
///
/// At the first invalid byte; for an address or a port, at the end of its line.
pub(crate) fn parse(bytes: &[u8], max_len: usize) -> Result<Option<Header>, Malformed> {
    if may_begin_with(bytes, v2::SIGNATURE) {
        v2::parse(bytes, max_len)
    } else if may_begin_with(bytes, b"PROXY ") {
        v1::parse(bytes)
    } else {
        Err(Malformed::Missing)
    }
}
