//! The bytes that a draining connection has yet to serve.

/// Number of bytes of the wire that are still to be read while the server drains, or no limit while it does not.
///
/// Only the bytes received before the drain are served: a peer that never pauses would otherwise keep the server
/// running.
#[derive(Clone, Copy, Debug)]
pub(super) struct DrainBudget(u64);

impl DrainBudget {
    /// The server does not drain. No socket holds as many bytes.
    pub(super) const UNLIMITED: Self = Self(u64::MAX);

    pub(super) fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub(super) fn is_draining(self) -> bool {
        self.0 != Self::UNLIMITED.0
    }

    /// Serves further bytes, because the session is in the middle of a message.
    pub(super) fn extend(&mut self) {
        self.0 = Self::UNLIMITED.0 - 1;
    }

    /// Returns whether everything is served.
    pub(super) fn is_used_up(self) -> bool {
        self.0 == 0
    }

    /// Returns the number of bytes to read, at most `max`.
    pub(super) fn limit(self, max: usize) -> usize {
        usize::try_from(self.0).map_or(max, |left| left.min(max))
    }

    /// Counts bytes that were read. Returns whether more are to be read.
    pub(super) fn count(&mut self, read: usize) -> bool {
        if !self.is_draining() {
            return false;
        }
        self.0 -= read as u64;
        self.0 > 0
    }

    /// Ends the drain: the socket holds no more bytes, whatever it has reported.
    pub(super) fn use_up(&mut self) {
        if self.is_draining() {
            self.0 = 0;
        }
    }
}
