//! The simulated network: the stream under a connection.

use std::{
    io::{self, Read, Write},
    panic::resume_unwind,
};

use crate::connection::Stream;

/// The poll reports that a socket is writable from this many free bytes on; only a write finds less room.
pub(super) const WRITABLE_FROM: usize = 16;

/// Panic payload of a read with an injected bug. Any other panic is a bug of the connection.
pub(super) struct InjectedBug;

/// The socket of a connection and the state of its peer.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct SimulatedStream {
    /// Bytes that have arrived and were not read.
    pub(super) arrived: Vec<u8>,
    /// The stream ends after these bytes.
    pub(super) fin: bool,
    /// The peer has reset the connection.
    pub(super) reset: bool,
    /// Free bytes of the socket's send buffer.
    pub(super) room: usize,
    /// Bytes that become free right after a write would have blocked.
    pub(super) late_room: usize,
    /// A write would have blocked, and the poll has yet to report that the socket is writable.
    pub(super) blocked: bool,
    /// Bytes that the peer has received.
    pub(super) delivered: Vec<u8>,
    /// The server has ended its direction.
    pub(super) half_closed: bool,
    /// The next read panics.
    pub(super) bug: bool,
    /// Number of bytes that were read.
    pub(super) read: usize,
    /// A byte has moved, or the server has ended its direction, since the last turn.
    pub(super) moved: bool,
}

impl Read for SimulatedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.bug) {
            resume_unwind(Box::new(InjectedBug));
        }
        let len = self.arrived.len().min(buffer.len());
        if len > 0 {
            buffer[..len].copy_from_slice(&self.arrived[..len]);
            self.arrived.drain(..len);
            self.read += len;
            self.moved = true;
            return Ok(len);
        }
        match (self.reset, self.fin) {
            (true, _) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, true) => Ok(0),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for SimulatedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.half_closed, "a write after the half-close");
        if self.reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(self.room);
        if len == 0 {
            self.blocked = true;
            self.room = std::mem::take(&mut self.late_room);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.delivered.extend_from_slice(&bytes[..len]);
        self.room -= len;
        self.moved = true;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for SimulatedStream {
    fn local_name(&self) -> String {
        "127.0.0.1:65432".to_owned()
    }

    fn half_close(&mut self) -> io::Result<()> {
        assert!(!self.half_closed, "a second half-close");
        self.half_closed = true;
        self.moved = true;
        if self.reset { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
    }

    fn is_delivered(&self) -> io::Result<bool> {
        assert!(self.half_closed, "the stream has not ended");
        Ok(true)
    }

    fn received(&self) -> io::Result<u64> {
        Ok(self.arrived.len() as u64)
    }
}
