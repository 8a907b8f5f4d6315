//! Connected, non-blocking socket with the time limit of a reply and an interrupt.
//!
//! Owns the system calls on the socket. Must not know what the bytes mean.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags},
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown},
};

use super::{
    error::Error,
    poll::{Deadline, Interrupt, poll},
};

/// Size of a read from a stream: one system call for 64 KiB costs little, and so does the buffer.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Events after which a read returns something new: bytes, the end, or an error.
const READABLE: PollFlags =
    PollFlags::IN.union(PollFlags::RDHUP).union(PollFlags::HUP).union(PollFlags::ERR);

/// Connected socket; a stream, except for `ping` over UDP, which connects a datagram socket.
#[derive(Debug)]
pub(crate) struct Stream<'i> {
    socket: OwnedFd,
    timeout: Duration,
    interrupt: Option<&'i Interrupt>,
}

/// Result of [`Stream::wait`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// There are bytes to receive, or the end.
    pub(crate) is_readable: bool,
    /// The socket accepts bytes.
    pub(crate) is_writable: bool,
    /// The input descriptor, if one was given, is readable.
    pub(crate) has_input: bool,
}

/// Result of [`Stream::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// This many bytes, at least one; of a datagram.
    Bytes(usize),
    /// The peer sends nothing more.
    End,
    /// No bytes have arrived.
    Nothing,
}

impl<'i> Stream<'i> {
    /// Wraps a connected socket; `timeout` limits each reply.
    pub(crate) fn new(socket: impl Into<OwnedFd>, timeout: Duration) -> Self {
        Self { socket: socket.into(), timeout, interrupt: None }
    }

    /// Makes every wait end with [`Error::Interrupted`] once `interrupt` is raised.
    pub(crate) fn interrupted_by(self, interrupt: Option<&'i Interrupt>) -> Self {
        Self { interrupt, ..self }
    }

    /// Replaces the time limit.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns the time limit of a reply.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the deadline of a reply whose time starts now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    /// Waits until the socket is readable, until it is writable (if `write`), or until `input` is readable
    /// (if there is one).
    ///
    /// # Errors
    ///
    /// [`Error::NoReply`] at the deadline, [`Error::Interrupted`].
    pub(crate) fn wait(
        &self,
        write: bool,
        input: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> Result<Ready, Error> {
        let interest = PollFlags::IN | if write { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = Vec::with_capacity(3);
        fds.push(PollFd::new(&self.socket, interest));
        fds.extend(input.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
        poll(&mut fds, deadline).map_err(Error::system("wait for the connection"))?;

        let mut events = fds.iter().map(PollFd::revents);
        let socket = events.next().unwrap_or(PollFlags::empty());
        let has_input = input.and_then(|_| events.next()).is_some_and(|events| !events.is_empty());
        if events.next().is_some_and(|interrupt| !interrupt.is_empty()) {
            return Err(Error::Interrupted);
        }
        let ready = Ready {
            is_readable: socket.intersects(READABLE),
            is_writable: socket.contains(PollFlags::OUT),
            has_input,
        };
        // An event that arrives together with the deadline still counts.
        if deadline.is_past() && !(ready.is_readable || ready.is_writable || ready.has_input) {
            return Err(Error::NoReply(self.timeout));
        }
        Ok(ready)
    }

    /// Sends as many of the bytes as the socket accepts now, possibly none; returns how many.
    ///
    /// # Errors
    ///
    /// The connection is lost. Bytes that the peer sent before may still be received.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives the bytes that have arrived, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        receive(self.as_fd(), buffer, RecvFlags::empty())
    }

    /// Tells the peer that nothing more will come; it can still send.
    pub(crate) fn half_close(&self) {
        // If the connection is lost, the next receive returns the reason.
        let _ = shutdown(&self.socket, Shutdown::Write);
    }
}

/// Does the same as [`Stream::receive`], and leaves the bytes in the socket.
///
/// # Errors
///
/// [`Error::Lost`]
pub(crate) fn peek(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Received, Error> {
    receive(socket, buffer, RecvFlags::PEEK)
}

fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], flags: RecvFlags) -> Result<Received, Error> {
    loop {
        match recv(socket, &mut *buffer, flags | RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Ok(Received::End),
            Ok((count, _)) => return Ok(Received::Bytes(count)),
            Err(Errno::AGAIN) => return Ok(Received::Nothing),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Error::Lost(error.into())),
        }
    }
}

impl AsFd for Stream<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
