//! The trait of the byte stream under a connection.

use std::io::{self, Read, Write};

use crate::telemetry::TcpInfo;

/// A non-blocking byte stream whose two directions close separately.
pub(crate) trait Stream: Read + Write {
    /// Ends the sending direction. Bytes written before still arrive, followed by the end of the stream.
    ///
    /// # Errors
    ///
    /// As `shutdown(2)`, above all if the peer is gone.
    fn half_close(&mut self) -> io::Result<()>;

    /// Returns whether the peer has acknowledged everything that was sent, and the end of the stream, or is gone. Both
    /// directions must have ended. If not, readiness is reported when it has.
    ///
    /// # Errors
    ///
    /// None that a working socket returns.
    fn is_delivered(&self) -> io::Result<bool>;

    /// Returns the address of this end, for people. Empty if the system cannot tell.
    fn local_name(&self) -> String;

    /// Returns the number of bytes that were received and not yet read.
    ///
    /// # Errors
    ///
    /// None that a working socket returns.
    fn received(&self) -> io::Result<u64>;

    /// Makes the close of the stream a reset (RST), which discards unsent bytes. A Unix socket has no reset, and closes.
    fn reset(&mut self) {}

    /// Returns whether the peer has acknowledged everything that was sent, as far as the system can tell.
    fn is_acknowledged(&self) -> bool {
        true
    }

    /// Returns whether the connection is over although nobody has read or written: the peer has reset it. `false` if the
    /// system cannot tell.
    fn is_reset_by_peer(&self) -> bool {
        false
    }

    /// Returns the figures of the kernel about the connection. `None`: it is not TCP, or the kernel cannot tell.
    fn tcp_info(&self) -> Option<TcpInfo> {
        None
    }
}
