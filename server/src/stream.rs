//! What a connection needs of its socket, all that it knows of it; and the socket that has it.

use std::{
    io::{self, Read, Write},
    os::fd::{AsRawFd as _, OwnedFd},
};

use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

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

/// A connection: a stream socket of any family.
///
/// It makes its two system calls itself: in a program of several threads the C library's `send` and
/// `recv` do work before and after for threads that may be cancelled, which ours never are.
///
/// And it makes them in line: what lies between them and the worker's loop is one function in the
/// end. A processor predicts a return from the call that it belongs to, and the kernel leaves it no
/// such memory: each return behind a system call is a guess at random. Two of them made the server a
/// sixth dearer than a bare loop; without them it costs the same.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl<Stream: Into<OwnedFd>> From<Stream> for Socket {
    fn from(stream: Stream) -> Self {
        Self(stream.into())
    }
}

impl Read for Socket {
    #[expect(clippy::inline_always, reason = "see above")]
    #[inline(always)]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(&self.0, buffer, RecvFlags::DONTWAIT)?.0)
    }
}

impl Write for Socket {
    #[expect(clippy::inline_always, reason = "see above")]
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn half_close(&mut self) -> io::Result<()> {
        Ok(shutdown(&self.0, Shutdown::Write)?)
    }

    fn received(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.0)?)
    }
}

impl Source for Socket {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}
