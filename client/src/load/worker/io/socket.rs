//! System calls of a channel's socket.
//!
//! The functions on the path of a message are inlined into the event loop, and so is all code between: a
//! function that returns after a system call is expensive, because the processor has lost its prediction of
//! the return address.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg},
};
use socket2::{Protocol, SockAddr, Socket, Type};

use crate::load::ipc::worker_config::Server;

/// Requested receive buffer of a UDP socket. The system grants as much as it allows, and uses memory only
/// for datagrams that have arrived.
pub(crate) const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Returns a non-blocking socket that is connected to the server, or that becomes writable when it is.
///
/// # Errors
///
/// The system has no descriptor or port left, or no route to the server. A Unix socket with a full backlog
/// is [`WouldBlock`](io::ErrorKind::WouldBlock), and no event tells when it has room.
pub(crate) fn connect(server: &Server, source: Option<IpAddr>) -> io::Result<Socket> {
    let (address, kind, protocol) = match server {
        Server::Tcp(address) => (SockAddr::from(*address), Type::STREAM, Some(Protocol::TCP)),
        Server::Unix(path) => (SockAddr::unix(path)?, Type::STREAM, None),
        Server::Udp(address) => (SockAddr::from(*address), Type::DGRAM, Some(Protocol::UDP)),
    };
    let socket = Socket::new(address.domain(), kind, protocol)?;
    socket.set_nonblocking(true)?;
    if let Server::Udp(_) = server {
        // The report contains the size that the system has granted.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address) {
        // A UDP socket without a free port. For TCP the system returns EADDRNOTAVAIL.
        Err(error) if kind == Type::DGRAM && error.kind() == io::ErrorKind::WouldBlock => {
            Err(Errno::ADDRNOTAVAIL.into())
        }
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// Receives without the C library, whose call does more in a process with several threads.
///
/// # Errors
///
/// An error of `recv(2)`.
#[expect(clippy::inline_always, reason = "see the module")]
#[inline(always)]
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
}

/// Sends without the C library.
///
/// # Errors
///
/// An error of `send(2)`.
#[expect(clippy::inline_always, reason = "see the module")]
#[inline(always)]
pub(crate) fn transmit(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// Sends several buffers in one call.
///
/// # Errors
///
/// An error of `sendmsg(2)`.
pub(crate) fn transmit_vectored(socket: &Socket, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(sendmsg(socket, buffers, &mut SendAncillaryBuffer::default(), flags)?)
}
