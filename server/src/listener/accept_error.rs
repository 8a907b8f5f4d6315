//! The errors of `accept(2)`.

use std::io;

use rustix::io::Errno;

use super::listening_socket::ListeningSocket;

/// Returns whether an error of `accept` concerns only the connection that it would have returned: Linux
/// reports pending errors of the new connection through it (`accept(2)`, "Error handling").
pub(crate) fn concerns_one_peer(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [
            Errno::CONNABORTED,
            Errno::INTR,
            Errno::NETDOWN,
            Errno::PROTO,
            Errno::NOPROTOOPT,
            Errno::HOSTDOWN,
            Errno::NONET,
            Errno::HOSTUNREACH,
            Errno::OPNOTSUPP,
            Errno::NETUNREACH,
            Errno::PERM,
        ]
        .contains(&errno)
    })
}

/// Returns whether the process or the system has no free descriptor.
pub(crate) fn is_descriptor_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Returns whether an error of `accept` means that the backlog is empty. Without a free descriptor the kernel
/// reports that first, also for an empty backlog, so the socket is polled.
pub(crate) fn is_backlog_empty(error: &io::Error, socket: &ListeningSocket) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || is_descriptor_shortage(error) && !socket.is_readable()
}
