//! The faults that a server can have.

use std::time::Duration;

/// Difference from an echo server that returns every byte.
///
/// Bytes are numbered by their offset in the stream of a connection. Messages are lines. Both count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A correct echo.
    None,
    /// The lowest bit of this byte is inverted.
    FlipBit(u64),
    /// This byte is not returned.
    DropByte(u64),
    /// This message is not returned.
    DropMessage(u64),
    /// This message is returned twice.
    RepeatMessage(u64),
    /// This message is returned after the one that follows it.
    SwapMessages(u64),
    /// The first message of another connection is returned in place of this message.
    ReplaceMessage(u64),
    /// The server sends a FIN after this many bytes.
    CloseAfter(u64),
    /// The server sends a RST after this many bytes.
    ResetAfter(u64),
    /// The server sends nothing after this many bytes.
    SilentAfter(u64),
    /// The server closes the connection immediately after it has accepted it.
    CloseImmediately,
    /// Everything is returned, this much later.
    Delay(Duration),
    /// Everything is returned, but the server pauses for `length` at the end of each period of length `every`,
    /// counted from its start.
    Pause {
        /// Length of a pause.
        length: Duration,
        /// Time from the start of one pause to the start of the next.
        every: Duration,
    },
}

impl Fault {
    /// Returns the delay of a reply that is ready this long after the server's start.
    pub(super) fn delay(self, since_start: Duration) -> Duration {
        match self {
            Self::Delay(delay) => delay,
            Self::Pause { length, every } => {
                let phase = since_start.as_nanos() % every.as_nanos();
                let left = every.as_nanos() - phase;
                if left > length.as_nanos() {
                    return Duration::ZERO;
                }
                Duration::from_nanos(u64::try_from(left).expect("a pause is short"))
            }
            _ => Duration::ZERO,
        }
    }
}
