//! The errors of `accept(2)`.

use std::io;

use rustix::io::Errno;

/// Returns whether an error of `accept` concerns only the connection that it would have returned: Linux
/// reports pending errors of the new connection through it (`accept(2)`, "Error handling").
pub(super) fn concerns_one_peer(error: &io::Error) -> bool {
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
pub(super) fn is_descriptor_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}
