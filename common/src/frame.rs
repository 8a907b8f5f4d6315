//! Frames of the `length` protocol: a prefix of four bytes, the big-endian length of the payload, and the
//! payload.

use std::io;

/// Length of a frame's prefix, in bytes.
pub const PREFIX_LEN: usize = 4;

/// Returns the payload length at the start of `bytes`, or `None` if the prefix is incomplete.
///
/// ```
/// use common::frame::payload_len;
/// assert_eq!(payload_len(b"\0\0\0\x05hello"), Some(5));
/// assert_eq!(payload_len(b"\0\0\0"), None);
/// ```
#[must_use]
pub fn payload_len(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|prefix| u32::from_be_bytes(*prefix))
}

/// Returns a complete frame with this payload.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if the payload is 4 GiB or longer: the prefix cannot hold its length.
///
/// ```
/// assert_eq!(common::frame::encode(b"hi")?, b"\0\0\0\x02hi");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn encode(payload: &[u8]) -> io::Result<Vec<u8>> {
    let len = u32::try_from(payload.len()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the payload is 4 GiB or longer, more than a frame can hold",
        )
    })?;
    Ok([&len.to_be_bytes()[..], payload].concat())
}
