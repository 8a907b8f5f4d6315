//! What a connection needs of its socket; all that it knows of it.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
};

use mio::net::TcpStream;

/// A non-blocking byte stream that can say that it has nothing more to say.
pub(crate) trait Stream: Read + Write {
    /// Ends the sending direction; what was written before still arrives, then end of stream.
    ///
    /// # Errors
    ///
    /// As `shutdown(2)`: above all that the peer is gone.
    fn half_close(&mut self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn half_close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
