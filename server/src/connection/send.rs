//! The way of an echo and of replies to the socket.
//!
//! The functions on the path of a message are inlined into the worker's loop; [`Socket`](super::Socket) has the reason.

use std::{borrow::Cow, io};

use bytes::{Buf as _, Bytes};

use super::{
    buffer::{UnloggedEcho, write_until_full},
    connection::Connection,
    layers::Layers,
    receive::Echo,
    stream::Stream,
    turn::TurnContext,
};

impl<S: Stream> Connection<S> {
    /// Sends an echo of a plain connection whose send buffer is empty. Bytes that the socket does not take go to the send
    /// buffer.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn send(&mut self, echo: Echo<'_>, context: &TurnContext<'_>) -> io::Result<()> {
        debug_assert!(self.send_buffer.is_none(), "nothing is read while it holds bytes");
        if echo.bytes.is_empty() {
            // A message that is complete without an echo has a reply, with which it is counted.
            return Ok(());
        }
        let (sent, result) = write_until_full(&mut self.stream, echo.bytes);
        self.count_sent(sent);
        if sent < echo.bytes.len() {
            self.buffer_echo(echo, sent, context)?;
            return result;
        }
        self.counters.messages_sent.add_messages(echo.messages);
        if context.telemetry.logs_messages() {
            self.log_echoed(echo, context);
        }
        result
    }

    /// Counts bytes that the socket has taken.
    #[inline]
    pub(super) fn count_sent(&mut self, bytes: usize) {
        self.counters.bytes_sent.add(bytes as u64);
        self.totals.bytes_sent += bytes as u64;
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
        let mut echo = UnloggedEcho::new(bytes, splitter, messages, true);
        echo.advance(sent, self.subject(), context.telemetry);
        self.send_buffer.get_or_insert_default().push(unsent, Some(echo))
    }

    /// Sends the echo of a step with a reply. Without bytes, its messages count as sent with the reply, except those to a room:
    /// what a member receives is counted where it is delivered.
    #[cold]
    pub(super) fn send_echo(
        &mut self,
        echo: Echo<'_>,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        #[cfg(feature = "rooms")]
        if self.is_member() {
            return Ok(());
        }
        if echo.bytes.is_empty() && self.send_buffer.is_none() {
            self.counters.messages_sent.add_messages(echo.messages);
            return Ok(());
        }
        self.send_indirectly(echo, context)
    }

    /// Sends an echo of any connection, behind everything that is buffered.
    #[cold]
    pub(super) fn send_indirectly(
        &mut self,
        echo: Echo<'_>,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
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
        let mut reply = match reply {
            Cow::Borrowed(reply) => Bytes::from_static(reply),
            Cow::Owned(reply) => Bytes::from(reply),
        };
        #[cfg(feature = "rooms")]
        if self.send_buffer.is_some() && self.queue_answer(&reply) {
            return Ok(());
        }
        if let Layers::Stacked(_) = self.layers {
            return self.send_reply_layered(&reply, context);
        }
        if self.send_buffer.is_none() {
            let (sent, result) = write_until_full(&mut self.stream, &reply);
            self.count_sent(sent);
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
        self.flush_buffer(context)?;
        self.settle_faults(context)?;
        #[cfg(feature = "rooms")]
        self.send_waiting(context)?;
        Ok(())
    }

    /// Sends the send buffer, as much as the socket takes.
    #[cold]
    pub(super) fn flush_buffer(&mut self, context: &TurnContext<'_>) -> io::Result<()> {
        let Some(mut send_buffer) = self.send_buffer.take() else { return Ok(()) };
        let (taken, sent, result) = self.flush_to_stream(&mut send_buffer, context);
        self.count_sent(sent);
        if taken > 0 {
            self.last_activity = context.now;
        }
        if send_buffer.unsent() > 0 {
            self.send_buffer = Some(send_buffer);
        } else if let Some(received_at) = send_buffer.measured_from() {
            let latency = context.now.saturating_duration_since(received_at);
            self.counters.latency.record(latency);
        }
        result
    }

    /// Logs the messages of an echo that is sent completely.
    #[inline(never)]
    fn log_echoed(&self, echo: Echo<'_>, context: &TurnContext<'_>) {
        let mut splitter = echo.splitter;
        let len = echo.bytes.len();
        context.telemetry.echoed_in_part(self.subject(), &mut splitter, echo.bytes, len);
    }
}
