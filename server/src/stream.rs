//! What a connection needs of its socket; all that it knows of it.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
};

use mio::net::TcpStream;

/// A non-blocking byte stream with two ends that close one by one.
pub(crate) trait Stream: Read + Write {
    /// Ends the sending direction; what was written before still arrives, then end of stream.
    ///
    /// # Errors
    ///
    /// As `shutdown(2)`: above all that the peer is gone.
    fn half_close(&mut self) -> io::Result<()>;

    /// How many bytes have been received and not yet read.
    ///
    /// # Errors
    ///
    /// None that a working socket has.
    fn received(&self) -> io::Result<u64>;
}

impl Stream for TcpStream {
    fn half_close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn received(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(self)?)
    }
}
