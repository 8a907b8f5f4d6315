//! The socket of a connection.

use std::{
    io::{self, IoSlice, Read, Write},
    net::SocketAddr,
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketAddrUnix,
        getpeername, getsockname, recv, send, sendmsg, shutdown, sockopt::set_socket_linger,
    },
};

use super::{
    stream::Stream,
    tcp_info::{is_acknowledged, read_tcp_info},
};
use crate::telemetry::TcpInfo;

/// A connected stream socket of any address family.
///
/// It makes its system calls without the C library, whose `send` and `recv` do extra work for threads that
/// may be cancelled.
///
/// The calls are inlined: the code between them and the worker's loop is one function. The processor predicts
/// the target of a return from the matching call, and a kernel entry seems to clear that prediction: two
/// returns after a system call made a message a sixth more expensive than in a bare loop; without them it
/// costs the same.
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

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // The usual number of records, and cheaper for the kernel.
        if let [slice] = slices {
            return self.write(slice);
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(sendmsg(&self.0, slices, &mut SendAncillaryBuffer::default(), flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn half_close(&mut self) -> io::Result<()> {
        Ok(shutdown(&self.0, Shutdown::Write)?)
    }

    fn is_delivered(&self) -> io::Result<bool> {
        // A TCP socket has a peer until it has closed. What a Unix socket has sent is in the buffer of its peer.
        match getpeername(&self.0) {
            Ok(peer) => Ok(peer.is_none_or(|peer| peer.address_family() == AddressFamily::UNIX)),
            Err(Errno::NOTCONN) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn local_name(&self) -> String {
        let Ok(address) = getsockname(&self.0) else { return String::new() };
        match (SocketAddr::try_from(address.clone()), SocketAddrUnix::try_from(address)) {
            (Ok(internet), _) => internet.to_string(),
            (_, Ok(unix)) => {
                unix.path().map_or_else(String::new, |path| path.to_string_lossy().into_owned())
            }
            _ => String::new(),
        }
    }

    fn received(&self) -> io::Result<u64> {
        Ok(rustix::io::ioctl_fionread(&self.0)?)
    }

    fn reset(&mut self) {
        // Without it the connection closes. A socket of another kind has no reset.
        let _ = set_socket_linger(&self.0, Some(Duration::ZERO));
    }

    fn is_acknowledged(&self) -> bool {
        is_acknowledged(&self.0)
    }

    fn is_reset_by_peer(&self) -> bool {
        // A TCP socket has a peer until it has closed.
        matches!(getpeername(&self.0), Err(Errno::NOTCONN))
    }

    fn tcp_info(&self) -> Option<TcpInfo> {
        read_tcp_info(&self.0)
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
