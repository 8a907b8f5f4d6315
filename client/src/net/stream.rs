//! Connected stream with the time limit of a reply and an interrupt.
//!
//! Owns the waits. The [transport](super::transport) moves the bytes. Must not know what the bytes mean.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags};

pub(crate) use super::transport::{Received, Transport};
use super::{
    error::Error,
    poll::{Deadline, Interrupt, poll},
};
use crate::receipt::Answer;
use common::receipt::NoReceipt;

/// Size of a read from a stream: one system call for 64 KiB costs little, and so does the buffer.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Connected socket; a stream, except for `ping` over UDP, which connects a datagram socket.
#[derive(Debug)]
pub(crate) struct Stream<'i> {
    transport: Arc<Transport>,
    timeout: Duration,
    interrupt: Option<&'i Interrupt>,
}

/// Result of [`Stream::wait`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// There are bytes to receive, or the end.
    pub(crate) is_readable: bool,
    /// The input descriptor, if one was given, is readable.
    pub(crate) has_input: bool,
}

impl<'i> Stream<'i> {
    /// Wraps a connected socket; `timeout` limits each reply.
    pub(crate) fn new(socket: impl Into<OwnedFd>, timeout: Duration) -> Self {
        Self::over(Transport::plain(socket.into()), timeout)
    }

    /// Returns the stream over a transport; `timeout` limits each reply.
    pub(super) fn over(transport: impl Into<Transport>, timeout: Duration) -> Self {
        Self { transport: Arc::new(transport.into()), timeout, interrupt: None }
    }

    /// Returns the transport, to be watched by another thread while this one does not use the stream.
    pub(crate) fn transport(&self) -> Arc<Transport> {
        Arc::clone(&self.transport)
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
        loop {
            // What TLS holds was reported by the socket before, and has no event of its own.
            let has_held = self.transport.has_held();
            let write = write || self.transport.wants_write();
            let until = if has_held { Deadline::after(Duration::ZERO) } else { deadline };
            let (socket, has_input) = self.poll(write, input, until)?;
            let is_readable = self.transport.handle_events(socket);
            let is_writable = socket.contains(PollFlags::OUT) && !self.transport.wants_write();
            // An event that arrives together with the deadline still counts.
            if is_readable || is_writable || has_input {
                return Ok(Ready { is_readable, has_input });
            }
            if deadline.is_past() {
                return Err(Error::NoReply(self.timeout));
            }
        }
    }

    /// Returns the events of the socket, and whether `input` is readable.
    fn poll(
        &self,
        write: bool,
        input: Option<BorrowedFd<'_>>,
        deadline: Deadline,
    ) -> Result<(PollFlags, bool), Error> {
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, self.transport.wants_input());
        interest.set(PollFlags::OUT, write);
        let mut fds = Vec::with_capacity(3);
        fds.push(PollFd::new(&self.transport, interest));
        fds.extend(input.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.interrupt.map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
        poll(&mut fds, deadline).map_err(Error::system("wait for the connection"))?;

        let mut events = fds.iter().map(PollFd::revents);
        let socket = events.next().unwrap_or(PollFlags::empty());
        let has_input = input.and_then(|_| events.next()).is_some_and(|events| !events.is_empty());
        if events.next().is_some_and(|interrupt| !interrupt.is_empty()) {
            return Err(Error::Interrupted);
        }
        Ok((socket, has_input))
    }

    /// Sends as many of the bytes as the socket accepts now, possibly none; returns how many.
    ///
    /// # Errors
    ///
    /// The connection is lost. Bytes that the peer sent before may still be received.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.transport.send(bytes)
    }

    /// Receives the bytes that have arrived, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`], [`Error::Tls`], [`Error::WebSocket`]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        self.transport.receive(buffer)
    }

    /// Returns `true` if the peer has sent anything.
    pub(crate) fn has_answered(&self) -> bool {
        self.transport.has_answered()
    }

    /// Returns `true` if the bytes are those of messages, which end with a handshake: see [`Stream::end_input`].
    pub(crate) fn is_websocket(&self) -> bool {
        self.transport.is_websocket()
    }

    /// Tells the peer that the input has ended, as far as it can still send; over a WebSocket, this ends the last message
    /// and is not visible otherwise.
    pub(crate) fn end_input(&self) {
        self.transport.end_input();
    }

    /// Tells the peer that nothing more will come, and asks it to end.
    pub(crate) fn half_close(&self) {
        self.transport.half_close();
    }

    /// Discards what arrives until the server ends the connection, or until the deadline: a connection that is closed with
    /// unread bytes is reset, and the server may lose what was sent last.
    pub(crate) fn discard_until_end(&self, deadline: Deadline) {
        while !self.transport.discard() && !deadline.is_past() {
            let has_held = self.transport.has_held();
            let until = if has_held { Deadline::after(Duration::ZERO) } else { deadline };
            if self.poll(self.transport.wants_write(), None, until).is_err() {
                return;
            }
        }
    }

    /// Returns `true` if the server is to send a receipt.
    pub(crate) fn expects_receipt(&self) -> bool {
        self.transport.expects_receipt()
    }

    /// Receives the rest of the stream, and compares what was sent and received with the receipt at its end.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`]; inside, there is no receipt.
    pub(crate) fn conclude(&self, deadline: Deadline) -> Result<Result<Answer, NoReceipt>, Error> {
        while !self.transport.receive_rest() && !deadline.is_past() {
            let has_held = self.transport.has_held();
            let until = if has_held { Deadline::after(Duration::ZERO) } else { deadline };
            self.poll(self.transport.wants_write(), None, until)?;
        }
        Ok(self.transport.conclude())
    }

    /// Sends a ping of a WebSocket.
    pub(crate) fn send_ping(&self, payload: &[u8]) {
        self.transport.send_ping(payload);
    }

    /// Returns `true` once if the pong to the last ping has arrived.
    pub(crate) fn take_pong(&self) -> bool {
        self.transport.take_pong()
    }
}

impl AsFd for Stream<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}
