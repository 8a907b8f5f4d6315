//! Transport of a stream: a socket, with the layers above it. Over a WebSocket, the bytes are those of messages.
//!
//! No call waits. Must not know deadlines.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::event::PollFlags;

pub(crate) use super::byte_transport::Received;
use super::{byte_transport::ByteTransport, error::Error};
use crate::{
    receipt::{Answer, Ledger},
    websocket,
};
use common::receipt::NoReceipt;

/// Size of a read below a WebSocket.
const CHUNK: usize = 16 * 1024;

/// Number of bytes without a message after which a call stops to read: a server that sends pings faster than they are read
/// must not hold the caller, which has a deadline and an interrupt.
const MAX_FILL: usize = 64 * 1024;

/// Connected, non-blocking socket and its layers.
#[derive(Debug)]
pub(crate) struct Transport {
    bytes: ByteTransport,
    websocket: Option<Mutex<websocket::Session>>,
    /// What was sent and received, if the server is to send a receipt. A WebSocket has its own.
    ledger: Option<Mutex<Ledger>>,
}

impl From<ByteTransport> for Transport {
    fn from(bytes: ByteTransport) -> Self {
        Self { bytes, websocket: None, ledger: None }
    }
}

impl Transport {
    /// Returns the transport of a socket without layers.
    pub(crate) fn plain(socket: OwnedFd) -> Self {
        ByteTransport::plain(socket).into()
    }

    /// Returns the transport over a WebSocket whose handshake is complete.
    pub(super) fn with_websocket(bytes: ByteTransport, session: websocket::Session) -> Self {
        Self { bytes, websocket: Some(Mutex::new(session)), ledger: None }
    }

    /// Keeps a ledger of the bytes that follow, of which the last are the receipt of the server. A WebSocket has to keep one
    /// from its handshake.
    pub(super) fn keep_ledger(&mut self) {
        if self.websocket.is_none() {
            self.ledger = Some(Mutex::new(Ledger::of_stream()));
        }
    }

    /// Returns `true` if the server is to send a receipt.
    pub(crate) fn expects_receipt(&self) -> bool {
        self.ledger.is_some() || self.websocket().is_some_and(|it| it.ledger().is_some())
    }

    /// Compares what was sent and received with the receipt at the end.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn conclude(&self) -> Result<Answer, NoReceipt> {
        let ledger = match self.websocket() {
            Some(session) => session.ledger().cloned(),
            None => self.ledger().map(|ledger| ledger.clone()),
        };
        ledger.ok_or(NoReceipt::Missing)?.conclude()
    }

    fn ledger(&self) -> Option<MutexGuard<'_, Ledger>> {
        Some(self.ledger.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn websocket(&self) -> Option<MutexGuard<'_, websocket::Session>> {
        Some(self.websocket.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns `true` if the bytes are those of messages, which end with a handshake.
    pub(crate) fn is_websocket(&self) -> bool {
        self.websocket.is_some()
    }

    /// Returns what TLS has negotiated, and the certificates of the server; `None` without TLS.
    pub(super) fn tls_summary(&self) -> Option<String> {
        self.bytes.tls_summary()
    }

    /// Returns `true` if a layer holds bytes that the socket has not accepted.
    pub(crate) fn wants_write(&self) -> bool {
        self.bytes.wants_write() || self.websocket().is_some_and(|it| !it.output().is_empty())
    }

    /// Returns `true` if a layer holds something to receive, for which the socket reports no event.
    pub(crate) fn has_held(&self) -> bool {
        let Some(session) = self.websocket() else { return self.bytes.has_held() };
        session.is_readable() || session.wants_input() && self.bytes.has_held()
    }

    /// Handles events of the socket; returns `true` if there is something to receive.
    pub(crate) fn handle_events(&self, events: PollFlags) -> bool {
        let is_readable = self.bytes.handle_events(events);
        let Some(mut session) = self.websocket() else { return is_readable };
        self.flush(&mut session);
        // A failure is found again by the receive.
        is_readable && self.fill(&mut session).is_err() || session.is_readable()
    }

    /// Sends the frames that the socket accepts now. After a failure nothing is sent any more, and receiving returns the
    /// reason.
    fn flush(&self, session: &mut websocket::Session) {
        while !session.output().is_empty() {
            match self.bytes.send(session.output()) {
                Ok(0) => return,
                Ok(count) => session.mark_sent(count),
                Err(_) => session.discard_output(),
            }
        }
    }

    /// Reads frames, unless there is already something to receive, and sends the answers to control frames.
    fn fill(&self, session: &mut websocket::Session) -> Result<(), Error> {
        let mut buffer = [0; CHUNK];
        let mut read = 0;
        while read < MAX_FILL && !session.is_readable() && session.wants_input() {
            match self.bytes.receive(&mut buffer)? {
                Received::Bytes(count) => {
                    read += count;
                    session.feed(&buffer[..count]);
                }
                Received::End => session.feed_end(),
                Received::Nothing => break,
            }
            self.flush(session);
        }
        Ok(())
    }

    /// Returns `false` while nothing should be received, since the answers to it wait to be sent.
    pub(crate) fn wants_input(&self) -> bool {
        self.websocket().is_none_or(|it| it.wants_input())
    }

    /// Discards what has arrived; returns `true` after the end of the connection. What waits to be sent is sent.
    pub(crate) fn discard(&self) -> bool {
        if let Some(mut session) = self.websocket() {
            self.flush(&mut session);
        }
        let mut buffer = [0; CHUNK];
        let mut read = 0;
        while read < MAX_FILL {
            match self.bytes.receive(&mut buffer) {
                Ok(Received::Bytes(count)) => read += count,
                Ok(Received::Nothing) => return false,
                Ok(Received::End) | Err(_) => return true,
            }
        }
        false
    }

    /// Adds what has arrived to the ledger; returns `true` after the end of the connection. What waits to be sent is sent.
    pub(crate) fn receive_rest(&self) -> bool {
        let mut buffer = [0; CHUNK];
        let mut read = 0;
        while read < MAX_FILL {
            let received = match self.websocket() {
                Some(session) if session.ledger().is_none_or(Ledger::has_ended) => return true,
                Some(mut session) => {
                    self.flush(&mut session);
                    let received = self.bytes.receive(&mut buffer);
                    match received {
                        Ok(Received::Bytes(count)) => session.feed(&buffer[..count]),
                        Ok(Received::End) | Err(_) => session.feed_end(),
                        Ok(Received::Nothing) => {}
                    }
                    received
                }
                None if self.ledger().is_none_or(|ledger| ledger.has_ended()) => return true,
                None => self.receive(&mut buffer),
            };
            match received {
                Ok(Received::Bytes(count)) => read += count,
                Ok(Received::Nothing) => return false,
                Ok(Received::End) | Err(_) => return true,
            }
        }
        false
    }

    /// Sends as many of the bytes as the socket accepts now, possibly none; returns how many. A layer may send the rest of
    /// its last unit later.
    ///
    /// # Errors
    ///
    /// The connection is lost. Bytes that the peer sent before may still be received.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(mut session) = self.websocket() else {
            let sent = self.bytes.send(bytes)?;
            if let Some(mut ledger) = self.ledger() {
                ledger.add_sent(&bytes[..sent]);
            }
            return Ok(sent);
        };
        self.flush(&mut session);
        let taken = session.push(bytes);
        self.flush(&mut session);
        Ok(taken)
    }

    /// Receives the bytes that have arrived.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`], [`Error::Tls`], [`Error::WebSocket`]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        let Some(mut session) = self.websocket() else {
            let received = self.bytes.receive(buffer)?;
            if let Some(mut ledger) = self.ledger() {
                match received {
                    Received::Bytes(count) => ledger.add_received(&buffer[..count]),
                    Received::End => ledger.end(),
                    Received::Nothing => {}
                }
            }
            return Ok(received);
        };
        self.fill(&mut session)?;
        convert(session.receive(buffer))
    }

    /// Does the same, and leaves the bytes to be received.
    ///
    /// # Errors
    ///
    /// See [`Transport::receive`].
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        let Some(mut session) = self.websocket() else { return self.bytes.peek(buffer) };
        self.fill(&mut session)?;
        convert(session.peek(buffer))
    }

    /// Returns `true` if bytes have been received; over a WebSocket, the handshake counts.
    pub(crate) fn has_answered(&self) -> bool {
        self.bytes.has_answered()
    }

    /// Tells the peer that the input has ended; it can still send. Over a WebSocket this only ends the last message: a
    /// server may drop what it has yet to echo when it receives a close frame.
    pub(crate) fn end_input(&self) {
        match self.websocket() {
            Some(mut session) => {
                session.end_input();
                self.flush(&mut session);
            }
            None => self.bytes.half_close(),
        }
    }

    /// Tells the peer that nothing more will come, and asks it to end. With TLS, a `close_notify` precedes the end; over a
    /// WebSocket it is a close frame, and the server ends the connection.
    pub(crate) fn half_close(&self) {
        match self.websocket() {
            Some(mut session) => {
                session.close();
                self.flush(&mut session);
            }
            None => self.bytes.half_close(),
        }
    }

    /// Sends a ping of a WebSocket.
    pub(crate) fn send_ping(&self, payload: &[u8]) {
        if let Some(mut session) = self.websocket() {
            session.send_ping(payload);
            self.flush(&mut session);
        }
    }

    /// Returns `true` once if the pong to the last ping has arrived.
    pub(crate) fn take_pong(&self) -> bool {
        self.websocket().is_some_and(|mut session| session.take_pong())
    }
}

fn convert(received: Result<websocket::Received, websocket::Error>) -> Result<Received, Error> {
    match received {
        Ok(websocket::Received::Bytes(count)) => Ok(Received::Bytes(count)),
        Ok(websocket::Received::End) => Ok(Received::End),
        Ok(websocket::Received::Nothing) => Ok(Received::Nothing),
        Err(error) => Err(Error::WebSocket(error)),
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bytes.as_fd()
    }
}

#[cfg(test)]
mod tests;
