//! The prefix of the `length` protocol: a payload's length, four bytes, big-endian.

use std::io;

/// How many bytes a frame's prefix has.
pub const PREFIX_LEN: usize = 4;

/// The payload length that `bytes` begin with, or `None` while the prefix is not whole.
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

/// One whole frame with this payload.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if the payload is too long for the prefix to say.
///
/// ```
/// assert_eq!(common::frame::encode(b"hi")?, b"\0\0\0\x02hi");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn encode(payload: &[u8]) -> io::Result<Vec<u8>> {
    let len = u32::try_from(payload.len()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the payload is over 4 GiB, more than a frame's prefix can say",
        )
    })?;
    Ok([&len.to_be_bytes()[..], payload].concat())
}
