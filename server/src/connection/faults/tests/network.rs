//! The socket of a connection in memory, and the state of its peer.

use std::io::{self, Read, Write};

use crate::connection::Stream;

/// A socket, and what its peer does.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct Network {
    pub(super) arrived: Vec<u8>,
    pub(super) has_ended: bool,
    pub(super) room: usize,
    pub(super) is_blocked: bool,
    pub(super) delivered: Vec<u8>,
    pub(super) is_half_closed: bool,
    pub(super) is_reset: bool,
}

impl Read for Network {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.arrived.len().min(buffer.len());
        if len == 0 && !self.has_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer[..len].copy_from_slice(&self.arrived[..len]);
        self.arrived.drain(..len);
        Ok(len)
    }
}

impl Write for Network {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_half_closed, "a write after the half-close");
        let len = bytes.len().min(self.room);
        if len == 0 {
            self.is_blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= len;
        self.delivered.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Network {
    fn half_close(&mut self) -> io::Result<()> {
        assert!(!self.is_half_closed, "a second half-close");
        self.is_half_closed = true;
        Ok(())
    }

    fn is_delivered(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn local_name(&self) -> String {
        String::new()
    }

    fn received(&self) -> io::Result<u64> {
        Ok(self.arrived.len() as u64)
    }

    fn reset(&mut self) {
        self.is_reset = true;
    }

    fn is_acknowledged(&self) -> bool {
        !self.is_blocked
    }
}
