//! Socket, plain or with TLS: sends and receives plaintext, and reports what TLS has buffered.
//!
//! No call waits. Must not know deadlines.

use std::{
    io::{self, IoSlice, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown},
};

use super::error::Error;
use crate::{
    login::Channel,
    tls::{self, Session},
};

/// Events after which a read returns something new: bytes, the end, or an error.
const READABLE: PollFlags =
    PollFlags::IN.union(PollFlags::RDHUP).union(PollFlags::HUP).union(PollFlags::ERR);

/// Result of [`ByteTransport::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// This many bytes, at least one; of a datagram.
    Bytes(usize),
    /// The peer sends nothing more.
    End,
    /// No bytes have arrived.
    Nothing,
}

/// Connected, non-blocking socket.
#[derive(Debug)]
pub(crate) struct ByteTransport {
    socket: Socket,
    tls: Option<Mutex<Session>>,
    /// Bytes have been received.
    has_answered: AtomicBool,
}

impl ByteTransport {
    /// Returns the transport of a socket without TLS.
    pub(crate) fn plain(socket: OwnedFd) -> Self {
        Self { socket: Socket(socket), tls: None, has_answered: AtomicBool::new(false) }
    }

    /// Returns the transport of a socket whose handshake is not complete yet.
    pub(super) fn with_tls(socket: OwnedFd, session: Session) -> Self {
        let tls = Some(Mutex::new(session));
        Self { socket: Socket(socket), tls, has_answered: AtomicBool::new(false) }
    }

    fn tls(&self) -> Option<MutexGuard<'_, Session>> {
        Some(self.tls.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Continues the handshake; returns `true` if it is complete.
    pub(super) fn advance_handshake(&self) -> Result<bool, tls::Error> {
        self.tls().map_or(Ok(true), |mut tls| tls.advance(&mut &self.socket))
    }

    /// Returns what TLS has negotiated, and the certificates of the server; `None` without TLS.
    pub(super) fn tls_summary(&self) -> Option<String> {
        self.tls().map(|tls| tls.summary())
    }

    /// Returns what TLS offers to a login.
    pub(super) fn channel(&self) -> Channel {
        self.tls().map_or_else(Channel::default, |tls| tls.channel())
    }

    /// Returns `true` if TLS holds records that the socket has not accepted.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls().is_some_and(|tls| tls.wants_write())
    }

    /// Returns `true` if TLS holds plaintext, the end, or an error, for which the socket reports no event.
    pub(crate) fn has_held(&self) -> bool {
        self.tls().is_some_and(|mut tls| tls.is_readable())
    }

    /// Handles events of the socket; returns `true` if there is something to receive.
    pub(crate) fn handle_events(&self, events: PollFlags) -> bool {
        let is_readable = events.intersects(READABLE);
        let Some(mut tls) = self.tls() else { return is_readable };
        if events.contains(PollFlags::OUT) {
            self.flush(&mut tls);
        }
        if is_readable {
            tls.fill(&mut &self.socket);
            // An answer to a key update, or an alert.
            self.flush(&mut tls);
        }
        tls.is_readable()
    }

    fn flush(&self, tls: &mut Session) {
        tls.flush(&mut &self.socket);
        if tls.has_sent_end() && !tls.wants_write() {
            self.socket.shut_down();
        }
    }

    /// Sends as many of the bytes as the socket accepts now, possibly none; returns how many. With TLS, the rest of a
    /// record may be sent later.
    ///
    /// # Errors
    ///
    /// The connection is lost. Bytes that the peer sent before may still be received.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = match self.tls() {
            Some(mut tls) => tls.send(bytes, &mut &self.socket),
            None => (&self.socket).write(bytes),
        };
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    /// Receives the bytes that have arrived.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`], [`Error::Tls`]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        let received = match self.tls() {
            Some(mut tls) => {
                tls.fill(&mut &self.socket);
                self.convert_tls(tls.receive(buffer))
            }
            None => self.receive_plain(buffer, RecvFlags::empty()),
        };
        if let Ok(Received::Bytes(_)) = received {
            self.has_answered.store(true, Ordering::Relaxed);
        }
        received
    }

    /// Returns `true` if bytes have been received.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Does the same as [`ByteTransport::receive`], and leaves the bytes to be received.
    ///
    /// # Errors
    ///
    /// See [`ByteTransport::receive`].
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        match self.tls() {
            Some(mut tls) => {
                tls.fill(&mut &self.socket);
                self.convert_tls(tls.peek(buffer))
            }
            None => self.receive_plain(buffer, RecvFlags::PEEK),
        }
    }

    fn receive_plain(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<Received, Error> {
        match self.socket.recv(buffer, flags) {
            Ok(0) => Ok(Received::End),
            Ok(count) => Ok(Received::Bytes(count)),
            Err(Errno::AGAIN) => Ok(Received::Nothing),
            Err(error) => Err(self.lost(error.into())),
        }
    }

    fn convert_tls(&self, received: Result<Option<usize>, tls::Error>) -> Result<Received, Error> {
        match received {
            Ok(Some(0)) => Ok(Received::End),
            Ok(Some(count)) => Ok(Received::Bytes(count)),
            Ok(None) => Ok(Received::Nothing),
            Err(tls::Error::Io(error)) => Err(self.lost(error)),
            Err(error) => Err(Error::Tls(error)),
        }
    }

    fn lost(&self, error: io::Error) -> Error {
        Error::Lost { error, has_answered: self.has_answered() }
    }

    /// Tells the peer that nothing more will come; it can still send. With TLS, a `close_notify` precedes the end.
    pub(crate) fn half_close(&self) {
        if let Some(mut tls) = self.tls() {
            tls.send_end();
            self.flush(&mut tls);
        } else {
            self.socket.shut_down();
        }
    }
}

impl AsFd for ByteTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.0.as_fd()
    }
}

/// System calls on a socket, which never wait.
#[derive(Debug)]
struct Socket(OwnedFd);

impl Socket {
    fn recv(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<usize, Errno> {
        loop {
            match recv(&self.0, &mut *buffer, flags | RecvFlags::DONTWAIT) {
                Err(Errno::INTR) => {}
                received => return received.map(|(count, _)| count),
            }
        }
    }

    fn shut_down(&self) {
        // If the connection is lost, the next receive returns the reason.
        let _ = shutdown(&self.0, Shutdown::Write);
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv(buffer, RecvFlags::empty())?)
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    /// TLS has a buffer for each record, and one call sends them all.
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(&self.0, buffers, &mut SendAncillaryBuffer::default(), flags) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
