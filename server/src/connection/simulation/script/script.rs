//! The bytes that a peer sends.

/// A script, and what it asks of the server.
#[derive(Debug, Default)]
pub(in crate::connection::simulation) struct Script {
    pub(in crate::connection::simulation) bytes: Vec<u8>,
    /// The longest part that the session holds until it is complete.
    pub(in crate::connection::simulation) longest_held: usize,
    /// There are frames of a WebSocket.
    pub(in crate::connection::simulation) has_frames: bool,
}

impl Script {
    /// Appends a part that the session may hold until it is complete.
    pub(super) fn push(&mut self, part: &[u8]) {
        self.push_unit(part, part.len());
    }

    /// Appends a part of which the session holds at most `held` bytes.
    pub(super) fn push_unit(&mut self, part: &[u8], held: usize) {
        self.bytes.extend_from_slice(part);
        self.longest_held = self.longest_held.max(held);
    }
}
