//! Socket of a stream with its layers, as a connection sees it: plain, or with TLS. `websocket_wire.rs` has WebSocket.
//!
//! A connection is compiled for each kind, so a plain one pays nothing for the other.

use std::{
    fmt,
    io::{self, ErrorKind as Io, IoSlice, Read, Write},
    net::Shutdown,
    time::Duration,
};

use socket2::Socket;

use super::{
    context::Context,
    socket::{receive, transmit, transmit_vectored},
};
use crate::{
    login::Channel,
    receipt::Ledger,
    tls::{self, Session},
};

/// Socket that moves the bytes of messages.
///
/// Errors of TLS have the kinds [`InvalidData`](Io::InvalidData) and, for an end of the stream that may be an attacker's,
/// [`UnexpectedEof`](Io::UnexpectedEof).
pub(crate) trait Wire: fmt::Debug + Sized {
    /// Lines are messages of a WebSocket, and the end is a handshake.
    const IS_WEBSOCKET: bool = false;

    /// Wraps a socket that is connecting.
    ///
    /// # Errors
    ///
    /// TLS cannot be used.
    fn new<S>(context: &Context<'_, S>, socket: Socket) -> io::Result<Self>;

    /// Returns the socket.
    fn socket(&self) -> &Socket;

    /// Continues the handshake of TLS; returns `true` if it is complete.
    ///
    /// # Errors
    ///
    /// The handshake failed.
    fn complete_handshake(&mut self) -> io::Result<bool>;

    /// Continues the handshake of WebSocket, after that of TLS; returns `true` if it is complete.
    ///
    /// # Errors
    ///
    /// The handshake failed.
    fn complete_upgrade(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// Returns the error for a handshake that is not complete in time: of TLS, or of WebSocket if TLS is complete.
    fn late(&self, is_secured: bool, limit: Duration) -> io::Error;

    /// Returns `true` if both sides have sent a close frame of WebSocket.
    fn has_closed(&self) -> bool {
        false
    }

    /// Returns whether TLS resumed an earlier session; `None` without TLS.
    fn is_resumed(&self) -> Option<bool>;

    /// Returns what TLS offers to a login.
    fn channel(&self) -> Channel {
        Channel::default()
    }

    /// Begins a ledger, after the handshakes and the login: the server is to send a receipt at the end.
    fn keep_ledger(&mut self) {
        *self.ledger() = Some(Ledger::of_stream().into());
    }

    /// Returns the ledger of the bytes that were sent and received. `None`: there is to be no receipt.
    fn ledger(&mut self) -> &mut Option<Box<Ledger>>;

    /// Receives bytes; zero is the end.
    ///
    /// # Errors
    ///
    /// An error of `recv(2)`, or of TLS; [`Interrupted`](Io::Interrupted) if what has arrived holds no bytes of a message, and
    /// there may be more.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Returns `true` if there may be more to receive after a read that did not fill its buffer.
    fn may_have_more(&mut self) -> bool;

    /// Sends bytes. `rest` returns the length of the last line after them, which a frame has to know.
    ///
    /// # Errors
    ///
    /// An error of `send(2)`.
    fn transmit(&mut self, bytes: &[u8], rest: impl FnOnce() -> u64) -> io::Result<usize>;

    /// Ends this direction.
    fn half_close(&mut self);
}

/// Socket without TLS.
#[derive(Debug)]
pub(crate) struct PlainWire {
    socket: Socket,
    ledger: Option<Box<Ledger>>,
}

impl Wire for PlainWire {
    fn new<S>(_: &Context<'_, S>, socket: Socket) -> io::Result<Self> {
        Ok(Self { socket, ledger: None })
    }

    fn socket(&self) -> &Socket {
        &self.socket
    }

    fn ledger(&mut self) -> &mut Option<Box<Ledger>> {
        &mut self.ledger
    }

    fn complete_handshake(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn late(&self, _: bool, _: Duration) -> io::Error {
        Io::TimedOut.into()
    }

    fn is_resumed(&self) -> Option<bool> {
        None
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        add_received(&mut self.ledger, receive(&self.socket, buffer), buffer)
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn may_have_more(&mut self) -> bool {
        false
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn transmit(&mut self, bytes: &[u8], _: impl FnOnce() -> u64) -> io::Result<usize> {
        add_sent(&mut self.ledger, transmit(&self.socket, bytes), bytes)
    }

    fn half_close(&mut self) {
        // If the connection is lost, the next read returns the reason.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// Socket with TLS.
#[derive(Debug)]
pub(crate) struct TlsWire {
    socket: Socket,
    session: Box<Session>,
    /// The last read of the socket filled its buffer, so that no event reports what is left.
    was_full: bool,
    /// Our direction of the socket is closed.
    is_shut_down: bool,
    ledger: Option<Box<Ledger>>,
}

impl TlsWire {
    /// Sends the records that wait, and ends our direction after the last one.
    fn flush(&mut self) {
        self.session.flush(&mut Raw::new(&self.socket));
        let is_over = self.session.has_sent_end() && !self.session.wants_write();
        if is_over && !std::mem::replace(&mut self.is_shut_down, true) {
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }
}

impl Wire for TlsWire {
    fn new<S>(context: &Context<'_, S>, socket: Socket) -> io::Result<Self> {
        let client = context.tls.as_ref().ok_or(Io::Unsupported)?;
        let session = Box::new(Session::new(client).map_err(from_tls)?);
        Ok(Self { socket, session, was_full: false, is_shut_down: false, ledger: None })
    }

    fn socket(&self) -> &Socket {
        &self.socket
    }

    fn complete_handshake(&mut self) -> io::Result<bool> {
        self.session.advance(&mut Raw::new(&self.socket)).map_err(from_tls)
    }

    fn late(&self, _: bool, limit: Duration) -> io::Error {
        from_tls(tls::Error::Late(limit))
    }

    fn is_resumed(&self) -> Option<bool> {
        Some(self.session.is_resumed())
    }

    fn channel(&self) -> Channel {
        self.session.channel()
    }

    fn ledger(&mut self) -> &mut Option<Box<Ledger>> {
        &mut self.ledger
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.flush();
        let mut socket = Raw::new(&self.socket);
        self.session.fill(&mut socket);
        self.was_full = socket.was_full;
        match self.session.receive(buffer) {
            Ok(Some(count)) => add_received(&mut self.ledger, Ok(count), buffer),
            // The session has limited its reads.
            Ok(None) if self.was_full => Err(Io::Interrupted.into()),
            Ok(None) => Err(Io::WouldBlock.into()),
            Err(error) => {
                // The alert.
                self.flush();
                Err(from_tls(error))
            }
        }
    }

    fn may_have_more(&mut self) -> bool {
        self.was_full || self.session.is_readable()
    }

    fn transmit(&mut self, bytes: &[u8], _: impl FnOnce() -> u64) -> io::Result<usize> {
        match self.session.send(bytes, &mut Raw::new(&self.socket)) {
            Ok(0) => Err(Io::WouldBlock.into()),
            sent => add_sent(&mut self.ledger, sent, bytes),
        }
    }

    fn half_close(&mut self) {
        self.session.send_end();
        self.flush();
    }
}

/// Adds what was received to a ledger, if there is one.
#[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
#[inline(always)]
fn add_received(
    ledger: &mut Option<Box<Ledger>>,
    received: io::Result<usize>,
    buffer: &[u8],
) -> io::Result<usize> {
    if let (Some(ledger), Ok(count)) = (ledger, &received) {
        ledger.add_received(&buffer[..*count]);
    }
    received
}

/// Adds what was sent to a ledger, if there is one.
#[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
#[inline(always)]
fn add_sent(
    ledger: &mut Option<Box<Ledger>>,
    sent: io::Result<usize>,
    bytes: &[u8],
) -> io::Result<usize> {
    if let (Some(ledger), Ok(count)) = (ledger, &sent) {
        ledger.add_sent(&bytes[..*count]);
    }
    sent
}

/// Returns an error of TLS: the connection's, an end without a `close_notify` as [`Io::UnexpectedEof`], any other as
/// [`Io::InvalidData`] with its text and advice.
pub(crate) fn from_tls(error: tls::Error) -> io::Error {
    match error {
        tls::Error::Io(error) => error,
        tls::Error::Truncated => Io::UnexpectedEof.into(),
        error => io::Error::new(Io::InvalidData, error.with_advice()),
    }
}

/// Records of TLS on a socket.
struct Raw<'s> {
    socket: &'s Socket,
    was_full: bool,
}

impl<'s> Raw<'s> {
    fn new(socket: &'s Socket) -> Self {
        Self { socket, was_full: false }
    }
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = receive(self.socket, buffer);
        self.was_full = matches!(received, Ok(count) if count == buffer.len());
        received
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        transmit(self.socket, bytes)
    }

    /// TLS has a buffer for each record, and one call sends them all.
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        transmit_vectored(self.socket, buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
