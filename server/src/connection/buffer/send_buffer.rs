//! The send buffer: wire bytes that the socket of a connection has not taken yet, in order.
//!
//! Nothing is read while it holds bytes, so the echo in it is that of one read. Marks tell which messages are sent when
//! the socket has taken a given number of bytes: a message is logged as echoed with its last byte.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    time::Instant,
};

use bytes::{Buf as _, Bytes};
use common::message::Splitter;

use crate::{
    config::limits,
    connection::stream::Stream,
    telemetry::{Recorder, Subject},
};

/// Unsent bytes of a connection.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    /// Owned bytes, or bytes that several connections share. The first chunk may be sent in part.
    chunks: VecDeque<Bytes>,
    /// Total of the chunks.
    unsent: usize,
    /// Number of bytes sent from this buffer.
    sent: u64,
    marks: VecDeque<Mark>,
    /// The beginning of the turn, if its latency is measured.
    measured_from: Option<Instant>,
}

/// Echoed messages on their way.
#[derive(Debug)]
struct Mark {
    /// Number of bytes sent from the buffer when the socket has taken the messages.
    end: u64,
    echo: UnloggedEcho,
}

/// Plaintext of messages that are not logged as echoed yet.
#[derive(Debug)]
pub(crate) struct UnloggedEcho {
    /// The plaintext, from the beginning of a message.
    pub(crate) bytes: Bytes,
    /// State of the message splitter at the beginning.
    pub(crate) splitter: Splitter,
    /// Number of messages that are complete with these bytes, and not sent yet.
    pub(crate) messages: isize,
    /// Number of messages that count as sent with the last of these bytes.
    pub(crate) counted: isize,
    /// The wire bytes are the plaintext, so the messages are sent one by one. Otherwise they are sent together, as in an
    /// encrypted record.
    pub(crate) is_verbatim: bool,
}

impl SendBuffer {
    /// Adds bytes to send, and the messages that are sent with them.
    ///
    /// # Errors
    ///
    /// [`StorageFull`](io::ErrorKind::StorageFull) if the buffer would hold more than [`limits::SEND_BUFFER`] bytes.
    pub(crate) fn push(&mut self, bytes: Bytes, echo: Option<UnloggedEcho>) -> io::Result<()> {
        if self.unsent + bytes.len() > limits::SEND_BUFFER {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the send buffer is full"));
        }
        self.unsent += bytes.len();
        if !bytes.is_empty() {
            self.chunks.push_back(bytes);
        }
        let end = self.sent + self.unsent as u64;
        self.marks.extend(echo.map(|echo| Mark { end, echo }));
        Ok(())
    }

    /// Sends the bytes that the stream takes, records the messages that are complete, and returns the number of bytes
    /// sent.
    pub(crate) fn flush(
        &mut self,
        stream: &mut impl io::Write,
        subject: Subject<'_>,
        telemetry: &Recorder<'_>,
    ) -> (usize, io::Result<()>) {
        let (sent, result) = self.write(stream);
        if sent > 0 {
            self.record_sent(subject, telemetry);
        }
        (sent, result)
    }

    /// Sends the bytes that the stream takes. Returns their number, also if it fails then.
    fn write(&mut self, stream: &mut impl io::Write) -> (usize, io::Result<()>) {
        let mut sent = 0;
        while self.unsent > 0 {
            let mut slices = [IoSlice::new(&[]); limits::WRITE_CHUNKS];
            let filled = self.fill(&mut slices);
            match stream.write_vectored(&slices[..filled]) {
                Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
                Ok(taken) => {
                    sent += taken;
                    self.advance(taken);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (sent, Err(error)),
            }
        }
        (sent, Ok(()))
    }

    /// Fills `slices` with the first chunks. Returns their number.
    fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let chunks = self.chunks.iter().zip(slices.iter_mut());
        chunks.map(|(chunk, slice)| *slice = IoSlice::new(chunk)).count()
    }

    /// Removes sent bytes.
    fn advance(&mut self, mut sent: usize) {
        self.unsent -= sent;
        self.sent += sent as u64;
        while let Some(chunk) = self.chunks.front_mut() {
            let here = sent.min(chunk.len());
            chunk.advance(here);
            sent -= here;
            if !chunk.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
    }

    /// Records the messages whose last byte is sent.
    fn record_sent(&mut self, subject: Subject<'_>, telemetry: &Recorder<'_>) {
        while let Some(Mark { end, echo }) = self.marks.front_mut() {
            let unsent = usize::try_from(end.saturating_sub(self.sent)).unwrap_or(usize::MAX);
            let sent = match unsent {
                0 => echo.bytes.len(),
                _ if echo.is_verbatim => echo.bytes.len().saturating_sub(unsent),
                _ => 0,
            };
            echo.advance(sent, subject, telemetry);
            if unsent > 0 {
                break;
            }
            subject.counters.messages_sent.add_messages(echo.counted);
            self.marks.pop_front();
        }
    }

    /// Returns the number of messages that are not sent completely.
    pub(crate) fn messages(&self) -> isize {
        self.marks.iter().map(|mark| mark.echo.messages).sum()
    }

    /// Measures the latency of an echo that was received at this time.
    pub(crate) fn measure_from(&mut self, received_at: Instant) {
        self.measured_from.get_or_insert(received_at);
    }

    /// Returns the time at which the echo was received, if its latency is measured.
    pub(crate) fn measured_from(&self) -> Option<Instant> {
        self.measured_from
    }

    /// Returns the number of messages that are sent completely, of echoes that are not.
    pub(crate) fn messages_of_unsent_echo(&self) -> isize {
        self.marks.iter().map(|Mark { echo, .. }| (echo.counted - echo.messages).max(0)).sum()
    }

    /// Returns the number of unsent bytes.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }
}

impl UnloggedEcho {
    pub(crate) fn new(
        bytes: Bytes,
        splitter: Splitter,
        messages: isize,
        is_verbatim: bool,
    ) -> Self {
        Self { bytes, splitter, messages, counted: messages, is_verbatim }
    }

    /// Removes the messages that are complete within the first `sent` bytes, and logs them.
    pub(crate) fn advance(&mut self, sent: usize, subject: Subject<'_>, telemetry: &Recorder<'_>) {
        let (len, messages) =
            telemetry.echoed_in_part(subject, &mut self.splitter, &self.bytes, sent);
        self.bytes.advance(len);
        self.messages -= messages;
    }
}

/// Writes until the stream takes no more. Returns the number of bytes that it took, also if it failed then.
#[expect(clippy::inline_always, reason = "see `Socket`")]
#[inline(always)]
pub(crate) fn write_until_full(stream: &mut impl Stream, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    // A short write does not end the loop: only "would block" guarantees that readiness is reported again.
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}
