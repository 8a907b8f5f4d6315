//! The send buffer: bytes that the socket of a connection has not taken yet.
//!
//! It begins at the first message that was not sent completely, so that the message can be logged as echoed
//! when its last byte is sent. It holds one read at most, plus the last reply of a session, because nothing
//! is read while the buffer holds bytes.

use std::io;

use common::message::Splitter;

use super::stream::Stream;
use crate::telemetry::ConnectionEvents;

/// Unsent bytes of a connection.
#[derive(Debug)]
pub(crate) struct SendBuffer {
    bytes: Vec<u8>,
    /// Number of bytes already sent.
    sent: usize,
    /// End of the echo; the last reply of the session follows.
    echo: usize,
    /// End of the bytes that were logged as echoed.
    logged: usize,
    /// State of the message splitter at `logged`.
    splitter: Splitter,
}

impl SendBuffer {
    /// Buffers `echo`, which begins with a message and of which `sent` bytes are already sent, and the rest
    /// of the reply. `splitter` is at the beginning of `echo`.
    pub(crate) fn new(echo: &[u8], sent: usize, reply: &[u8], splitter: Splitter) -> Self {
        Self { bytes: [echo, reply].concat(), sent, echo: echo.len(), logged: 0, splitter }
    }

    /// Sends the bytes that the stream takes, logs the messages that are complete, and returns the number of
    /// bytes sent.
    pub(crate) fn flush(
        &mut self,
        stream: &mut impl Stream,
        peer: &str,
        telemetry: &ConnectionEvents<'_>,
    ) -> io::Result<usize> {
        let taken = write_until_full(stream, &self.bytes[self.sent..])?;
        if taken > 0 {
            self.sent += taken;
            telemetry.sent(taken);
            let echo = &self.bytes[self.logged..self.echo];
            let sent = self.sent.min(self.echo) - self.logged;
            self.logged += telemetry.echoed(peer, &mut self.splitter, echo, sent);
        }
        Ok(taken)
    }

    /// Returns the number of unsent bytes.
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }
}

/// Writes until the stream takes no more, and returns the number of bytes it took.
#[expect(clippy::inline_always, reason = "see `Socket`")]
#[inline(always)]
pub(crate) fn write_until_full(stream: &mut impl Stream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    // A short write does not end the loop: only "would block" guarantees that readiness is reported again.
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
