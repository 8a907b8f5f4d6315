//! The path of a message: one read, one call of the session, one write from the same buffer.
//!
//! These functions are inlined into the worker's loop; [`Socket`](super::Socket) has the reason.

use std::{borrow::Cow, io};

use bytes::{Buf as _, Bytes};
use common::message::Splitter;

use super::{
    buffer::{HeldBytes, UnloggedEcho, write_until_full},
    connection::Connection,
    stage::Stage,
    stream::Stream,
    turn::{Readiness, TurnContext},
};
use crate::{
    layer::Layers,
    session::{Next, Reason, Reply, Session, Step},
    telemetry::{CloseReason, ConnectionEvent, Subject},
};

/// Result of one read of the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum WireRead {
    Bytes(usize),
    EndOfStream,
    Nothing,
}

/// The echo of one step.
#[derive(Clone, Copy)]
pub(super) struct Echo<'a> {
    pub(super) bytes: &'a [u8],
    /// Number of messages that are complete with it.
    pub(super) messages: isize,
    /// State of the message splitter at its beginning.
    pub(super) splitter: Splitter,
}

impl<S: Stream> Connection<S> {
    /// Reads once and handles the bytes. Returns the number of messages that were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn read(&mut self, context: &mut TurnContext<'_>) -> io::Result<usize> {
        if let Layers::Stacked(_) = self.layers {
            return self.read_layered(context);
        }
        let held = self.held.len();
        if held > 0 {
            context.buffer[..held].copy_from_slice(&self.held);
        }
        match self.read_wire(&mut context.buffer[held..])? {
            WireRead::Bytes(read) => {
                let mut len = held + read;
                if self.stage == Stage::Serving {
                    self.count_drained(read);
                } else {
                    match self.read_outside_session(read, len, context)? {
                        0 => return Ok(0),
                        session_bytes => len = session_bytes,
                    }
                }
                if !self.is_logged {
                    self.log_first(&context.buffer[..len], context);
                }
                self.last_activity = context.now;
                self.receive(len, context)
            }
            WireRead::EndOfStream => {
                self.end_of_stream(Stage::Ending, CloseReason::Fin, context)?;
                Ok(0)
            }
            WireRead::Nothing => Ok(0),
        }
    }

    /// Reads bytes of the wire once, while the server drains no more than it has yet to serve.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn read_wire(&mut self, buffer: &mut [u8]) -> io::Result<WireRead> {
        let max = match self.stage {
            Stage::Lingering => buffer.len(),
            _ => self.drain.limit(buffer.len()),
        };
        match self.stream.read(&mut buffer[..max]) {
            Ok(0) => {
                self.readiness = Readiness::default();
                Ok(WireRead::EndOfStream)
            }
            Ok(read) => {
                // A short read empties the socket, unless the poll has reported more.
                self.readiness.readable = read == max || self.readiness.has_more;
                self.receipt.bytes_received += read as u64;
                Ok(WireRead::Bytes(read))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.readable = false;
                // The kernel has discarded the bytes that were counted as received.
                self.drain.use_up();
                Ok(WireRead::Nothing)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(WireRead::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Counts bytes that a draining server has read.
    pub(super) fn count_drained(&mut self, read: usize) {
        self.readiness.readable |= self.drain.count(read);
    }

    /// Passes the first `len` bytes of the buffer to the session and does what it returns. Returns the
    /// number of messages that were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn receive(&mut self, len: usize, context: &mut TurnContext<'_>) -> io::Result<usize> {
        let step = self.session.receive(&mut context.buffer[..len]);
        let (logged, echo) = self.record_received(&step, &context.buffer[..step.consumed], context);
        if let Some(reply) = step.reply {
            self.answer(echo, reply, context)?;
            return Ok(logged + self.receive_more(step.consumed, len, context)?);
        }
        self.hold(&context.buffer[step.consumed..len]);
        self.send(echo, context)?;
        Ok(logged)
    }

    /// Passes the bytes `at..len` of the buffer to the session, step by step, after another step or from a layer.
    #[cold]
    pub(super) fn receive_more(
        &mut self,
        mut at: usize,
        len: usize,
        context: &mut TurnContext<'_>,
    ) -> io::Result<usize> {
        let mut logged = 0;
        while self.stage == Stage::Serving {
            if at == len {
                self.hold(&[]);
                break;
            }
            let step = self.session.receive(&mut context.buffer[at..len]);
            let consumed = at..at + step.consumed;
            at = consumed.end;
            let (messages, echo) = self.record_received(&step, &context.buffer[consumed], context);
            logged += messages;
            let Some(reply) = step.reply else {
                self.hold(&context.buffer[at..len]);
                self.send_indirectly(echo, context)?;
                break;
            };
            self.answer(echo, reply, context)?;
        }
        Ok(logged)
    }

    /// Records the bytes that the session has consumed. Returns the number of messages that were logged, and the echo.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn record_received<'a>(
        &mut self,
        step: &Step,
        consumed: &'a [u8],
        context: &TurnContext<'_>,
    ) -> (usize, Echo<'a>) {
        let messages = step.messages;
        let echo = Echo { bytes: &consumed[..step.echo], messages, splitter: self.splitter };
        context.telemetry.received(consumed.len());
        let is_logged = context.telemetry.logs_messages();
        let logged = if is_logged { self.log_received(consumed, context) } else { 0 };
        self.receipt.messages_received =
            self.receipt.messages_received.wrapping_add_signed(messages as i64);
        (logged, echo)
    }

    /// Logs the messages in received bytes, and returns their number.
    #[inline(never)]
    fn log_received(&mut self, consumed: &[u8], context: &TurnContext<'_>) -> usize {
        let subject = Subject { id: self.id, peer: &self.peer };
        context.telemetry.log_received(subject, &mut self.splitter, consumed)
    }

    /// Logs the messages of an echo that is sent completely.
    #[inline(never)]
    fn log_echoed(&self, echo: Echo<'_>, context: &TurnContext<'_>) {
        let mut splitter = echo.splitter;
        let len = echo.bytes.len();
        context.telemetry.echoed_in_part(self.subject(), &mut splitter, echo.bytes, len);
    }

    /// Holds bytes that the session has not consumed. Outside of an incomplete frame a connection owns no buffer.
    #[inline]
    fn hold(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() || !self.held.is_empty() {
            self.held = bytes.into();
        }
    }

    /// Sends the echo and the reply of a step, and ends or changes the session.
    #[cold]
    fn answer(
        &mut self,
        echo: Echo<'_>,
        reply: Reply,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let Reply { bytes, next } = reply;
        if let Next::Close(_) = next {
            self.held = HeldBytes::default();
            self.enter(Stage::Flushing, context.now);
        }
        self.send_indirectly(echo, context)?;
        self.send_reply(bytes, context)?;
        match next {
            Next::Continue => {}
            Next::Switch(handler) => {
                self.session = Session::Other(Box::new(handler));
                self.splitter = self.session.splitter();
            }
            Next::Close(reason) => self.record_end(reason, context),
        }
        Ok(())
    }

    /// Records the end of a session by its protocol.
    fn record_end(&mut self, reason: Reason, context: &TurnContext<'_>) {
        let (close_reason, event) = match reason {
            Reason::Exit => (CloseReason::Exit, ConnectionEvent::ExitRequested),
            Reason::FrameTooLong(payload) => {
                (CloseReason::FrameTooLong, ConnectionEvent::FrameTooLong { payload })
            }
        };
        self.end_because(close_reason);
        context.telemetry.record(self.subject(), event);
    }

    /// Handles the end of the peer's stream, or of its direction of a layer, and enters `next`.
    pub(super) fn end_of_stream(
        &mut self,
        next: Stage,
        reason: CloseReason,
        context: &mut TurnContext<'_>,
    ) -> io::Result<()> {
        self.end_because(reason);
        self.log_incomplete_header(context.telemetry);
        let was = self.stage;
        let next = match was {
            // This direction has ended already.
            Stage::Lingering => Stage::Delivering,
            _ => next,
        };
        self.enter(next, context.now);
        if was == Stage::Serving {
            self.echo_held(context)?;
            if self.is_logged {
                context.telemetry.record(self.subject(), ConnectionEvent::Disconnected { reason });
            }
        }
        Ok(())
    }

    /// Echoes the held bytes of a frame that will never be complete.
    pub(super) fn echo_held(&mut self, context: &mut TurnContext<'_>) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let (_, echo) = self.record_received(
            &Step::echo(held.len(), isize::from(!held.is_empty())),
            &held,
            context,
        );
        self.send_indirectly(echo, context)
    }

    /// Sends an echo of a plain connection whose send buffer is empty. Bytes that the socket does not take go to the send
    /// buffer.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn send(&mut self, echo: Echo<'_>, context: &TurnContext<'_>) -> io::Result<()> {
        debug_assert!(self.send_buffer.is_none(), "nothing is read while it holds bytes");
        let (sent, result) = write_until_full(&mut self.stream, echo.bytes);
        self.count_sent(sent, context);
        if sent < echo.bytes.len() {
            self.buffer_echo(echo, sent, context)?;
        } else if context.telemetry.logs_messages() {
            self.log_echoed(echo, context);
        }
        result
    }

    /// Counts bytes that the socket has taken.
    #[inline]
    pub(super) fn count_sent(&mut self, bytes: usize, context: &TurnContext<'_>) {
        context.telemetry.sent(bytes);
        self.receipt.bytes_sent += bytes as u64;
    }

    /// Buffers the rest of an echo, of which the first `sent` bytes are sent.
    #[cold]
    fn buffer_echo(
        &mut self,
        echo: Echo<'_>,
        sent: usize,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let Echo { bytes, messages, splitter } = echo;
        let bytes = Bytes::copy_from_slice(bytes);
        let unsent = bytes.slice(sent..);
        let mut echo = UnloggedEcho { bytes, splitter, messages, is_verbatim: true };
        echo.advance(sent, self.subject(), context.telemetry);
        self.send_buffer.get_or_insert_default().push(unsent, Some(echo))
    }

    /// Sends an echo of any connection, behind everything that is buffered.
    #[cold]
    fn send_indirectly(&mut self, echo: Echo<'_>, context: &TurnContext<'_>) -> io::Result<()> {
        if let Layers::Stacked(_) = self.layers {
            self.send_layered(echo, context)
        } else if self.send_buffer.is_some() {
            self.buffer_echo(echo, 0, context)
        } else {
            self.send(echo, context)
        }
    }

    /// Sends a reply, behind everything that is buffered.
    #[cold]
    pub(super) fn send_reply(
        &mut self,
        reply: Cow<'static, [u8]>,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        if let Layers::Stacked(_) = self.layers {
            return self.send_reply_layered(&reply, context);
        }
        let mut reply = match reply {
            Cow::Borrowed(reply) => Bytes::from_static(reply),
            Cow::Owned(reply) => Bytes::from(reply),
        };
        if self.send_buffer.is_none() {
            let (sent, result) = write_until_full(&mut self.stream, &reply);
            self.count_sent(sent, context);
            reply.advance(sent);
            result?;
        }
        if !reply.is_empty() {
            self.send_buffer.get_or_insert_default().push(reply, None)?;
        }
        Ok(())
    }

    /// Sends buffered bytes, as many as the socket takes.
    #[cold]
    pub(super) fn flush(&mut self, context: &TurnContext<'_>) -> io::Result<()> {
        let Some(send_buffer) = &mut self.send_buffer else { return Ok(()) };
        let subject = Subject { id: self.id, peer: &self.peer };
        let (stream, receipt) = (&mut self.stream, &mut self.receipt);
        if send_buffer.flush(stream, subject, context.telemetry, receipt)? > 0 {
            self.last_activity = context.now;
        }
        if send_buffer.unsent() == 0 {
            self.send_buffer = None;
        }
        Ok(())
    }
}
