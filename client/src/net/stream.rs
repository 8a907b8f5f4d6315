//! A connection: its socket, its time limit, and what may interrupt it.
//!
//! Owns the system calls on the socket, and that none of them blocks. Must not know what the bytes
//! mean.

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

use crate::net::{
    error::Error,
    poll::{Deadline, Interrupt, wait},
};

/// How many bytes to ask a stream for at once: a system call for every 64 KiB costs little, and so
/// does the buffer.
pub const CHUNK: usize = 64 * 1024;

/// What a socket counts as when there is something to learn by reading it, be it its end.
const READABLE: PollFlags =
    PollFlags::IN.union(PollFlags::RDHUP).union(PollFlags::HUP).union(PollFlags::ERR);

/// A connected socket to a server, used without blocking: a stream, save where datagrams are spoken of.
#[derive(Debug)]
pub struct Link<'i> {
    socket: OwnedFd,
    timeout: Duration,
    interrupt: Option<&'i Interrupt>,
}

/// What [`Link::wait`] found.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// There are bytes to receive, or the end.
    pub readable: bool,
    /// The socket takes bytes.
    pub writable: bool,
    /// The other descriptor, if one was given, can be read.
    pub input: bool,
}

/// What [`Link::receive`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// This many bytes, at least one.
    Bytes(usize),
    /// The server will send nothing more.
    End,
    /// Nothing yet.
    Nothing,
}

impl<'i> Link<'i> {
    /// Over a connected socket; `timeout` is for each reply.
    pub fn new(socket: impl Into<OwnedFd>, timeout: Duration) -> Self {
        Self { socket: socket.into(), timeout, interrupt: None }
    }

    /// The same, but every wait ends with [`Error::Interrupted`] once `interrupt` is raised.
    #[must_use]
    pub fn interrupted_by(self, interrupt: Option<&'i Interrupt>) -> Self {
        Self { interrupt, ..self }
    }

    /// The same, with another time limit.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long to wait for each reply.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The end of the time that a reply may take, if its time begins now.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    /// Waits until the server has sent something, until the socket takes bytes (if `write`), or
    /// until `input` can be read (if there is one).
    ///
    /// # Errors
    ///
    /// [`Error::NoReply`] at the deadline, [`Error::Interrupted`].
    pub fn wait(
        &self,
        write: bool,
        input: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> Result<Ready, Error> {
        let want = PollFlags::IN | if write { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = Vec::with_capacity(3);
        fds.push(PollFd::new(&self.socket, want));
        fds.extend(input.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
        wait(&mut fds, deadline).map_err(|error| Error::System { what: "wait", error })?;

        let mut events = fds.iter().map(PollFd::revents);
        let socket = events.next().unwrap_or(PollFlags::empty());
        let input = input.and_then(|_| events.next()).is_some_and(|events| !events.is_empty());
        if events.next().is_some_and(|interrupt| !interrupt.is_empty()) {
            return Err(Error::Interrupted);
        }
        let ready = Ready {
            readable: socket.intersects(READABLE),
            writable: socket.contains(PollFlags::OUT),
            input,
        };
        // What came with the deadline is not too late.
        if deadline.is_past() && !(ready.readable || ready.writable || ready.input) {
            return Err(Error::NoReply(self.timeout));
        }
        Ok(ready)
    }

    /// Gives the socket as many of these bytes as it takes now, perhaps none.
    ///
    /// # Errors
    ///
    /// The connection is lost. What the server said before may still be there to receive.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes what has come, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`]
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        receive(self.as_fd(), buffer, RecvFlags::empty())
    }

    /// Tells the server that nothing more will come; it can still send.
    pub fn half_close(&self) {
        // It fails if the connection is gone already, which the next receive tells better.
        let _ = shutdown(&self.socket, Shutdown::Write);
    }
}

/// As [`Link::receive`], but the bytes stay there to be received.
///
/// # Errors
///
/// [`Error::Lost`]
pub fn peek(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Received, Error> {
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

impl AsFd for Link<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
