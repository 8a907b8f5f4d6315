//! Waiting for files.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Waits until something has happened to one of these files, or until the time is over. Returns which.
pub(super) fn wait<const N: usize>(
    files: [(&dyn AsFd, PollFlags); N],
    time: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut fds = files.map(|(file, events)| PollFd::from_borrowed_fd(file.as_fd(), events));
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    match poll(&mut fds, time.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(fds.map(|fd| !fd.revents().is_empty())),
        Err(error) => Err(error.into()),
    }
}
