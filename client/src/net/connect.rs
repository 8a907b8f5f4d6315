//! Connecting to one address, with a deadline and an interrupt.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::{
    event::{PollFd, PollFlags},
    io::Errno,
};
use socket2::{SockAddr, Socket, Type};

use super::poll::{Deadline, Interrupt, poll};

/// Pause before the next attempt at a Unix socket whose backlog is full.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// Connects a stream to `address`; returns `None` if it was interrupted.
pub(super) fn connect(
    address: &SockAddr,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> io::Result<Option<OwnedFd>> {
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if !address.is_unix() {
        // A message is small and complete: it must not wait for the next one.
        socket.set_tcp_nodelay(true)?;
    }
    loop {
        match socket.connect(address) {
            Err(error) if is_errno(&error, Errno::INPROGRESS) => {
                return finish_connect(socket, deadline, interrupt);
            }
            // The backlog of a Unix socket is full, and no event tells when it has room.
            Err(error) if is_errno(&error, Errno::AGAIN) && !deadline.is_past() => {
                if is_interrupted_within(BACKLOG_PAUSE, interrupt)? {
                    return Ok(None);
                }
            }
            other => return other.map(|()| Some(socket.into())),
        }
    }
}

/// Waits for a pending connection. The socket becomes writable when the result is known.
fn finish_connect(
    socket: Socket,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> io::Result<Option<OwnedFd>> {
    let mut fds = vec![PollFd::new(&socket, PollFlags::OUT)];
    fds.extend(interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
    poll(&mut fds, deadline)?;
    let events: Vec<_> = fds.iter().map(PollFd::revents).collect();
    if events[1..].iter().any(|interrupt| !interrupt.is_empty()) {
        Ok(None)
    } else if events[0].is_empty() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        socket.take_error()?.map_or_else(|| Ok(Some(socket.into())), Err)
    }
}

fn is_interrupted_within(time: Duration, interrupt: Option<&Interrupt>) -> io::Result<bool> {
    let mut fds: Vec<_> =
        interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)).into_iter().collect();
    poll(&mut fds, Deadline::after(time))?;
    Ok(fds.iter().any(|interrupt| !interrupt.revents().is_empty()))
}

fn is_errno(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}
