//! What a connection owes its peer and its socket has not taken yet.
//!
//! The tail begins at the first message that was not sent whole, so that the message can be logged
//! as echoed when its last byte is gone. It is as long as one read at most, plus a session's last
//! reply, because nothing is read while there is a tail.

use std::io;

use common::message::Splitter;

use crate::{journal::Journal, stream::Stream};

/// Bytes owed to a peer.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    /// This many of them have been sent.
    sent: usize,
    /// Up to here they are echo; behind it is the session's own last reply.
    echo: usize,
    /// Up to here they have been logged as echoed.
    logged: usize,
    /// Where `logged` stands among the messages.
    splitter: Splitter,
}

impl Tail {
    /// `echo` from the start of a message, `sent` bytes of which are gone already, and what is left of
    /// the reply. `splitter` stands where `echo` begins.
    pub(crate) fn new(echo: &[u8], sent: usize, reply: &[u8], splitter: Splitter) -> Self {
        Self { bytes: [echo, reply].concat(), sent, echo: echo.len(), logged: 0, splitter }
    }

    /// Sends what the stream takes, and has the journal note it; says how many bytes that was.
    pub(crate) fn send(
        &mut self,
        stream: &mut impl Stream,
        peer: &str,
        journal: &Journal<'_>,
    ) -> io::Result<usize> {
        let taken = write_until_full(stream, &self.bytes[self.sent..])?;
        if taken > 0 {
            self.sent += taken;
            journal.sent(taken);
            let echo = &self.bytes[self.logged..self.echo];
            let sent = self.sent.min(self.echo) - self.logged;
            self.logged += journal.echoed(peer, &mut self.splitter, echo, sent);
        }
        Ok(taken)
    }

    /// How many bytes are still owed.
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }
}

/// Writes until the stream takes no more; says how much it took.
#[expect(clippy::inline_always, reason = "see `Socket`")]
#[inline(always)]
pub(crate) fn write_until_full(stream: &mut impl Stream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    // Not stopping at a short write: only "would block" promises that readiness is told again.
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
