//! The framings, and what they have in common.

use common::{escape::Escaped, room::MAX_TEXT};

/// How events and messages are separated on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Framing {
    /// Lines of text.
    Text,
    /// Frames of the `length` protocol.
    Length,
    /// JSON objects, one a line; on the wire, messages of a WebSocket.
    Json,
}

/// Maximum number of bytes of an event: the longest message, each byte of which is escaped, and names.
pub(super) const MAX_EVENT: usize = 64 * 1024;

const _: () = assert!(MAX_EVENT > 6 * MAX_TEXT + 4096);

/// Returns the text of bytes: what is no UTF-8 is escaped.
pub(super) fn lossless(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| Escaped(bytes).to_string(), ToOwned::to_owned)
}
