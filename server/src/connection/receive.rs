//! The path of a message: one read, one call of the session, one write from the same buffer.
//!
//! These functions are inlined into the worker's loop; [`Socket`](super::Socket) has the reason.

use std::io;

use common::message::Splitter;

use super::{
    connection::Connection,
    send_buffer::{SendBuffer, write_until_full},
    stage::Stage,
    stream::Stream,
    turn::{Readiness, TurnContext},
};
use crate::session::{End, Reason};

impl<S: Stream> Connection<S> {
    /// Reads once and handles the bytes. Returns the number of messages that were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn read(&mut self, context: &mut TurnContext<'_>) -> io::Result<usize> {
        let held = self.held.len();
        if held > 0 {
            context.buffer[..held].copy_from_slice(&self.held);
        }
        let room = context.buffer.len() - held;
        let max = match self.draining {
            Some(left) if self.stage != Stage::Lingering => {
                room.min(usize::try_from(left).unwrap_or(usize::MAX))
            }
            _ => room,
        };
        match self.stream.read(&mut context.buffer[held..held + max]) {
            Ok(0) => {
                self.readiness = Readiness::default();
                self.end_of_stream(context)?;
                Ok(0)
            }
            Ok(read) => {
                let mut len = held + read;
                // A short read empties the socket, unless the poll has reported more.
                self.readiness.readable = read == max || self.readiness.has_more;
                if self.stage == Stage::Serving {
                    self.count_drained(read);
                } else {
                    match self.read_outside_session(read, len, context)? {
                        0 => return Ok(0),
                        session_bytes => len = session_bytes,
                    }
                }
                self.log_connected(context.telemetry);
                self.last_activity = context.now;
                self.receive(len, context)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.readable = false;
                // The kernel has discarded the bytes that were counted as received.
                self.draining = self.draining.map(|_| 0);
                Ok(0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Counts bytes that a draining server has read.
    pub(super) fn count_drained(&mut self, read: usize) {
        self.draining = self.draining.map(|left| left - read as u64);
        self.readiness.readable |= self.draining.is_some_and(|left| left > 0);
    }

    /// Passes the first `len` bytes of the buffer to the session and does what it returns. Returns the
    /// number of messages that were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn receive(&mut self, len: usize, context: &TurnContext<'_>) -> io::Result<usize> {
        let input = &context.buffer[..len];
        let outcome = self.session.receive(input);
        let mut echo_splitter = self.splitter;
        let consumed = &input[..outcome.consumed];
        let messages = context.telemetry.received(&self.peer, &mut self.splitter, consumed);
        let (reply, reason) = match outcome.end {
            None => {
                // Outside of an incomplete frame a connection owns no buffer.
                if outcome.consumed < len || !self.held.is_empty() {
                    self.held = input[outcome.consumed..].to_vec();
                }
                (None, None)
            }
            Some(End { reason, reply }) => {
                self.held = Vec::new();
                self.enter(Stage::Flushing, context.now);
                (Some(reply), Some(reason))
            }
        };
        self.send(
            &input[..outcome.echo],
            reply.as_deref().unwrap_or_default(),
            &mut echo_splitter,
            context,
        )?;
        match reason {
            None => {}
            Some(Reason::Exit) => context.telemetry.exit_requested(&self.peer),
            Some(Reason::FrameTooLong(payload)) => {
                context.telemetry.frame_too_long(&self.peer, payload);
            }
        }
        Ok(messages)
    }

    /// Handles the end of the peer's stream.
    fn end_of_stream(&mut self, context: &mut TurnContext<'_>) -> io::Result<()> {
        self.log_incomplete_header(context.telemetry);
        let was = self.stage;
        self.enter(Stage::Closing, context.now);
        if was == Stage::Serving {
            self.echo_held(context)?;
            if self.is_logged {
                context.telemetry.disconnected(&self.peer);
            }
        }
        Ok(())
    }

    /// Echoes the held bytes of a frame that will never be complete.
    pub(super) fn echo_held(&mut self, context: &mut TurnContext<'_>) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut splitter = self.splitter;
        context.telemetry.received(&self.peer, &mut self.splitter, &held);
        self.send(&held, &[], &mut splitter, context)
    }

    /// Sends the echo and then the reply. Bytes that the socket does not take go to the send buffer.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        echo: &[u8],
        reply: &[u8],
        splitter: &mut Splitter,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        debug_assert!(
            self.send_buffer.is_none(),
            "nothing is read, so nothing is sent, while the send buffer holds bytes"
        );
        let sent = write_until_full(&mut self.stream, echo)?;
        let logged = context.telemetry.echoed(&self.peer, splitter, echo, sent);
        let replied = if sent == echo.len() && !reply.is_empty() {
            write_until_full(&mut self.stream, reply)?
        } else {
            0
        };
        context.telemetry.sent(sent + replied);
        if sent + replied < echo.len() + reply.len() {
            let unsent =
                SendBuffer::new(&echo[logged..], sent - logged, &reply[replied..], *splitter);
            self.send_buffer = Some(Box::new(unsent));
        }
        Ok(())
    }

    /// Sends buffered bytes, as many as the socket takes.
    pub(super) fn flush(&mut self, context: &TurnContext<'_>) -> io::Result<()> {
        if let Some(send_buffer) = &mut self.send_buffer {
            if send_buffer.flush(&mut self.stream, &self.peer, context.telemetry)? > 0 {
                self.last_activity = context.now;
            }
            if send_buffer.unsent() == 0 {
                self.send_buffer = None;
            }
        }
        Ok(())
    }
}
