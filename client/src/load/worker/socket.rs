//! The system calls of a load's sockets, whatever kind of server they go to.
//!
//! What is on a byte's way is in line with the engine's loop, as is all that lies between: a function
//! that returns behind a system call costs far more than elsewhere, because the processor has to guess
//! where to.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use socket2::{Protocol, SockAddr, Socket, Type};

use crate::load::ipc::wire::Server;

/// Bytes that a socket for datagrams is to keep until they are read. The system gives what it allows; it
/// takes memory for what is there only.
pub const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// A socket that is connected to the server, or that will be when it becomes writable.
///
/// # Errors
///
/// The system has no descriptor or no port for it, or the server's address cannot be reached. A Unix
/// socket whose backlog is full is [`WouldBlock`](io::ErrorKind::WouldBlock), and nothing tells when it no
/// longer is.
pub fn connect(server: &Server, source: Option<IpAddr>) -> io::Result<Socket> {
    let (address, kind, protocol) = match server {
        Server::Tcp(address) => (SockAddr::from(*address), Type::STREAM, Some(Protocol::TCP)),
        Server::Unix(path) => (SockAddr::unix(path)?, Type::STREAM, None),
        Server::Udp(address) => (SockAddr::from(*address), Type::DGRAM, Some(Protocol::UDP)),
    };
    let socket = Socket::new(address.domain(), kind, protocol)?;
    socket.set_nonblocking(true)?;
    if let Server::Udp(_) = server {
        // What the system gives instead is in the report.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address) {
        // For want of a port: for connections the system has another word for it.
        Err(error) if kind == Type::DGRAM && error.kind() == io::ErrorKind::WouldBlock => {
            Err(Errno::ADDRNOTAVAIL.into())
        }
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// Receives without the C library, which in a process of several threads does more than asked for.
///
/// # Errors
///
/// The system's.
#[expect(clippy::inline_always, reason = "see the module")]
#[inline(always)]
pub fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
}

/// As [`receive`], the other way.
///
/// # Errors
///
/// The system's.
#[expect(clippy::inline_always, reason = "see the module")]
#[inline(always)]
pub fn transmit(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}
