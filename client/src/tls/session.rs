//! Session of one connection: plaintext on one side, records on the other.
//!
//! rustls holds both plaintext that nobody has taken and records that the socket has not taken, so its two `complete`
//! helpers would wait for one direction while the other is full. This session moves what it can and returns.

use std::{
    io::{self, BufRead as _, ErrorKind as Io, Read, Write},
    sync::Arc,
};

use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use super::{
    client::Client,
    cpu_time,
    error::Error,
    explain::{Evidence, explain, explain_cut},
    options::TrustOption,
    summary,
};
use crate::login::{Channel, EXPORTER_LABEL, EXPORTER_LENGTH};

/// Bytes of the server's first flight that an error message may need.
const HEAD: usize = 64;

/// Number of bytes without plaintext after which a call stops to read: a server that sends records such as tickets faster than
/// they are read must not hold the caller. rustls itself limits a handshake.
const MAX_FILL: usize = 32 * 1024;

/// TLS of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    tls: ClientConnection,
    client: Client,
    /// First bytes of the server, as received.
    head: Vec<u8>,
    /// The next receive returns this error.
    failure: Option<Error>,
    /// The socket takes nothing more.
    is_write_broken: bool,
    /// Reset that a write has found. The system reports it once, and then the end of the stream.
    reset: Option<io::Error>,
    /// The end of our direction was queued.
    has_sent_end: bool,
    /// The server has asked for a certificate of the client.
    is_certificate_requested: bool,
}

impl Session {
    /// Starts a session: a handshake that has sent nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`]
    pub(crate) fn new(client: &Client) -> Result<Self, Error> {
        let new = || ClientConnection::new(Arc::clone(&client.config), client.name.clone());
        let tls = cpu_time::handshake(new).map_err(|error| Error::Protocol(error.to_string()))?;
        Ok(Self {
            tls,
            client: client.clone(),
            head: Vec::new(),
            failure: None,
            is_write_broken: false,
            reset: None,
            has_sent_end: false,
            is_certificate_requested: false,
        })
    }

    /// Continues the handshake as far as the socket allows; returns `true` if it is complete and sent.
    ///
    /// # Errors
    ///
    /// The handshake failed. Its alert has been sent, if the socket took it.
    pub(crate) fn advance(&mut self, socket: &mut (impl Read + Write)) -> Result<bool, Error> {
        self.flush(socket);
        self.fill(socket);
        // Also an alert.
        self.flush(socket);
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(!self.tls.is_handshaking() && !self.wants_write()),
        }
    }

    /// Returns `true` if records wait for the socket to accept them.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.wants_write() && !self.is_write_broken
    }

    /// Sends the records that the socket accepts now. After a failure nothing is sent any more, and receiving returns
    /// the reason.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) {
        while self.wants_write() {
            match self.tls.write_tls(socket) {
                Ok(count) if count > 0 => {}
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return,
                failed => {
                    self.is_write_broken = true;
                    self.reset = failed.err().filter(|error| error.kind() == Io::ConnectionReset);
                }
            }
        }
    }

    /// Returns `true` if a receive returns something now: plaintext, the end, or an error.
    pub(crate) fn is_readable(&mut self) -> bool {
        self.failure.is_some() || self.peek_plaintext().is_some()
    }

    /// Reads records, unless there is already something to receive. After [`MAX_FILL`]
    /// bytes it stops, although the socket may have more.
    pub(crate) fn fill(&mut self, socket: &mut impl Read) {
        let mut read = 0;
        while !self.is_readable() && (read < MAX_FILL || self.tls.is_handshaking()) {
            let mut socket = Recorder { socket, head: &mut self.head };
            match self.tls.read_tls(&mut socket) {
                Ok(0) => return self.end(),
                Ok(count) => {
                    read += count;
                    self.process();
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return,
                Err(error) => return self.failure = Some(self.lost(error)),
            }
        }
    }

    /// Returns the error for a socket that failed.
    fn lost(&self, error: io::Error) -> Error {
        let is_reset = error.kind() == Io::ConnectionReset;
        if is_reset && self.tls.is_handshaking() {
            explain_cut(&self.client, self.is_certificate_requested)
        } else {
            Error::Io(error)
        }
    }

    fn process(&mut self) {
        let processed = if self.tls.is_handshaking() {
            cpu_time::handshake(|| self.tls.process_new_packets())
        } else {
            cpu_time::records(|| self.tls.process_new_packets())
        };
        self.is_certificate_requested |= self.client.identity.take_requested();
        if let Err(error) = processed {
            let evidence = Evidence {
                client: &self.client,
                head: &self.head,
                is_handshaking: self.tls.is_handshaking(),
                is_certificate_requested: self.is_certificate_requested,
            };
            self.failure = Some(explain(&error, &evidence));
        }
    }

    /// Handles the end of the stream: without a `close_notify` it may be an attacker's.
    fn end(&mut self) {
        self.process();
        if self.failure.is_some() {
            return;
        }
        if self.tls.is_handshaking() {
            self.failure = Some(explain_cut(&self.client, self.is_certificate_requested));
        } else if self.peek_plaintext().is_none() {
            self.failure = Some(self.reset.take().map_or(Error::Truncated, Error::Io));
        }
    }

    /// Returns the number of bytes to receive, zero at the end, or `None` if there are none. A failure of rustls, which is
    /// the truncation, counts as none: [`Session::end`] reports it.
    fn peek_plaintext(&mut self) -> Option<usize> {
        self.tls.reader().fill_buf().ok().map(<[u8]>::len)
    }

    /// Encrypts and sends as many of the bytes as the socket accepts now, or a little more, which then waits in the
    /// session; returns how many.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) fn send(&mut self, bytes: &[u8], socket: &mut impl Write) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            self.flush(socket);
            if self.is_write_broken {
                return Err(Io::BrokenPipe.into());
            }
            if self.wants_write() {
                break;
            }
            sent += cpu_time::records(|| self.tls.writer().write(&bytes[sent..]))?;
        }
        self.flush(socket);
        Ok(sent)
    }

    /// Receives plaintext that has arrived; `Some(0)` is the end, `None` that nothing has arrived.
    ///
    /// # Errors
    ///
    /// The connection failed, or ended without a `close_notify`.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        match self.tls.reader().read(buffer) {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => self.peek(buffer),
        }
    }

    /// Does the same, and leaves the bytes to be received.
    ///
    /// # Errors
    ///
    /// See [`Session::receive`].
    pub(crate) fn peek(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        // Plaintext that arrived before the failure comes first.
        let mut reader = self.tls.reader();
        let plaintext = reader.fill_buf().ok();
        match (plaintext, self.failure.take()) {
            (Some(plaintext), failure) if !plaintext.is_empty() || failure.is_none() => {
                let count = plaintext.len().min(buffer.len());
                buffer[..count].copy_from_slice(&plaintext[..count]);
                self.failure = failure;
                Ok(Some(count))
            }
            (_, Some(failure)) => Err(failure),
            _ => Ok(None),
        }
    }

    /// Queues the `close_notify`, which tells the server that nothing more will come. Further calls have no effect.
    pub(crate) fn send_end(&mut self) {
        if !std::mem::replace(&mut self.has_sent_end, true) {
            self.tls.send_close_notify();
        }
    }

    /// Returns `true` if the `close_notify` was queued.
    pub(crate) fn has_sent_end(&self) -> bool {
        self.has_sent_end
    }

    /// Returns `true` if the handshake resumed an earlier session.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Returns what the session offers to a login. The handshake has to be complete.
    pub(crate) fn channel(&self) -> Channel {
        // RFC 9266 requires TLS 1.3, or extensions of TLS 1.2 that rustls does not report.
        let is_bound = self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let export = || {
            let exporter = [0; EXPORTER_LENGTH];
            self.tls.export_keying_material(exporter, EXPORTER_LABEL, None).ok()
        };
        Channel {
            is_tls: true,
            is_verified: self.client.options().trust != TrustOption::Nothing,
            has_certificate: self.client.identity.is_given(),
            exporter: is_bound.then(export).flatten(),
        }
    }

    /// Returns what was negotiated, and the chain of the server, one line each.
    pub(crate) fn summary(&self) -> String {
        summary::summary(&self.tls)
    }
}

/// Socket that remembers the first bytes.
struct Recorder<'s, S> {
    socket: &'s mut S,
    head: &'s mut Vec<u8>,
}

impl<S: Read> Read for Recorder<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        let room = (HEAD - self.head.len()).min(count);
        self.head.extend_from_slice(&buffer[..room]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
