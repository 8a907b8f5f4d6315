//! Refusal of new handshakes by a listening socket that still accepts its backlog.

use std::{io, os::fd::AsFd};

use rustix::net::{Shutdown, shutdown};
use socket2::{SockFilter, SockRef};

use crate::listener::listening_socket::ListeningSocket;

/// Drops each segment with SYN and without ACK, by the flags in byte 13 of the TCP header (RFC 9293, 3.1). The last
/// segment of a handshake has no SYN. The code is that of classic BPF (`bpf(4)` of BSD, `linux/filter.h`).
const DROP_SYNS: [SockFilter; 5] = [
    // Load the byte.
    SockFilter::new(0x30, 0, 0, 13),
    // Keep SYN and ACK.
    SockFilter::new(0x54, 0, 0, 0x12),
    // If that is SYN, continue, else skip one instruction.
    SockFilter::new(0x15, 0, 1, 0x02),
    // Drop the segment.
    SockFilter::new(0x06, 0, 0, 0),
    // Accept the whole segment.
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// Refuses new handshakes with a listening socket that no other process shares.
///
/// A client of a Unix socket is refused. The SYN of a TCP client is dropped: a refusal needs a socket that is closed.
///
/// # Errors
///
/// If the system forbids socket filters.
pub(super) fn refuse_handshakes(socket: &ListeningSocket) -> io::Result<()> {
    match socket {
        ListeningSocket::Tcp(listener) => SockRef::from(listener).attach_filter(&DROP_SYNS),
        ListeningSocket::Unix(unix) => Ok(shutdown(&unix.listener, Shutdown::Read)?),
    }
}

/// Removes the filter that a connection has inherited from a closing listener.
pub(in crate::listener) fn accept_handshakes(connection: &impl AsFd) {
    // An error means that the connection has no filter: it is older, or no TCP connection.
    let _ = SockRef::from(connection).detach_filter();
}
