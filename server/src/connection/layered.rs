//! Reads and writes of a connection with a layer between the wire and its session.
//!
//! The worker's buffer serves both sides: its second half takes the bytes of the wire, its first half the plaintext.

use std::{io, time::Instant};

use bytes::Bytes;

use super::{
    buffer::{HeldBytes, UnloggedEcho},
    connection::Connection,
    layers::Layers,
    receive::{Echo, WireRead},
    stage::Stage,
    stream::Stream,
    turn::TurnContext,
};
use crate::{
    layer::{Decoded, LayerError},
    telemetry::{CloseReason, ConnectionEvent, Recorder},
};

impl<S: Stream> Connection<S> {
    /// Reads bytes of the wire once, and serves the plaintext in them. Returns the number of messages that were logged.
    #[cold]
    pub(super) fn read_layered(&mut self, context: &mut TurnContext<'_>) -> io::Result<usize> {
        let messages = self.read_and_decode(context)?;
        self.settle_faults(context)?;
        Ok(messages)
    }

    fn read_and_decode(&mut self, context: &mut TurnContext<'_>) -> io::Result<usize> {
        let half = context.buffer.len() / 2;
        // A PROXY header comes before the layer, so it is read into the half for the plaintext.
        let is_header = self.stage == Stage::ProxyHeader;
        let held = if is_header { self.held.len() } else { 0 };
        let wire = if is_header {
            context.buffer[..held].copy_from_slice(&self.held);
            held..half
        } else {
            // The plaintext is no longer than this, and has its place behind the held bytes.
            half..context.buffer.len() - self.held.len()
        };
        let now = context.now;
        let mut read = match self.read_stacked(&mut context.buffer[wire], now)? {
            WireRead::Bytes(read) => read,
            WireRead::EndOfStream if self.stage == Stage::Handshake && self.has_layer_input() => {
                let error = LayerError::Handshake("it disconnected before the end".to_owned());
                self.fail_layer(&error, &[], context.telemetry, context.now);
                self.enter(Stage::Closing, context.now);
                return Ok(0);
            }
            WireRead::EndOfStream => {
                let has_end = self.layers.layer().is_some_and(|layer| layer.has_end());
                let reason = if has_end { CloseReason::Truncated } else { CloseReason::Fin };
                self.end_of_stream(Stage::Ending, reason, context)?;
                return Ok(0);
            }
            WireRead::Nothing => return Ok(0),
        };
        if self.stage == Stage::Lingering {
            return Ok(0);
        }
        self.count_drained(read);
        if is_header {
            read = self.parse_proxy_header(held + read, context)?;
            context.buffer.copy_within(..read, half);
        } else if self.stage == Stage::Serving {
            self.last_activity = context.now;
        }
        self.decode(half, read, context)
    }

    /// Decodes the bytes of the wire, `len` from the middle of the buffer, and passes their plaintext to the session.
    /// Returns the number of messages that were logged.
    pub(super) fn decode(
        &mut self,
        half: usize,
        len: usize,
        context: &mut TurnContext<'_>,
    ) -> io::Result<usize> {
        let (mut at, mut messages) = (half, 0);
        let end = half + len;
        while self.stage == Stage::Handshake || self.stage.is_in_session() {
            let held = self.held.len();
            let (plaintext, wire) = context.buffer.split_at_mut(half);
            plaintext[..held].copy_from_slice(&self.held);
            let room = half - held;
            let Some(layer) = self.layers.layer() else { break };
            let decoded = layer.decode(&wire[at - half..end - half], &mut plaintext[held..]);
            if self.stage == Stage::Handshake && layer.is_established() {
                self.permit.end_handshake();
                self.counters.handshakes.completed.add(1);
                self.enter(Stage::Serving, context.now);
            }
            let Decoded { consumed, plaintext, is_end } = match decoded {
                Ok(decoded) => decoded,
                Err(error) => {
                    let bytes = &wire[at - half..end - half];
                    self.fail_layer(&error, bytes, context.telemetry, context.now);
                    break;
                }
            };
            at += consumed;
            if plaintext > 0 {
                self.log_connected(context.telemetry);
                messages += self.receive_more(0, held + plaintext, context)?;
            }
            // The layer reports the end again, after the bytes that are held back.
            let is_end = is_end && (self.held.is_empty() || !self.is_held_back());
            if is_end && matches!(self.stage, Stage::Handshake | Stage::Serving) {
                self.end_of_stream(Stage::Flushing, CloseReason::Fin, context)?;
            } else if at == end && plaintext < room {
                break;
            } else if consumed == 0 && plaintext == 0 {
                debug_assert_eq!(at, end, "a layer takes all bytes");
                break;
            }
        }
        self.transmit(None, context)?;
        Ok(messages)
    }

    /// Returns whether the layer has received bytes of an incomplete handshake.
    fn has_layer_input(&mut self) -> bool {
        self.layers.layer().is_some_and(|layer| layer.has_begun())
    }

    /// Ends a connection whose peer broke the rules of its layer with these bytes.
    fn fail_layer(
        &mut self,
        error: &LayerError,
        bytes: &[u8],
        telemetry: &Recorder<'_>,
        now: Instant,
    ) {
        let event = ConnectionEvent::LayerFailed { error, bytes };
        let is_handshake = self.stage == Stage::Handshake;
        let reason = if is_handshake { CloseReason::Handshake } else { CloseReason::LayerError };
        self.fail_with(reason, event, telemetry, now);
        self.held = HeldBytes::default();
        self.enter(Stage::Flushing, now);
    }

    /// Records that the layer failed. The rate is limited, because scanners would fill the log of a public listener.
    pub(super) fn fail_with(
        &mut self,
        reason: CloseReason,
        event: ConnectionEvent<'_>,
        telemetry: &Recorder<'_>,
        now: Instant,
    ) {
        // A connection in the log stays in it.
        self.is_logged |= telemetry.record_throttled(self.subject(), event, now);
        self.end_because(reason);
    }

    /// Sends an echo through the layer.
    pub(super) fn send_layered(
        &mut self,
        echo: Echo<'_>,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let Echo { bytes, messages, splitter } = echo;
        self.encode_echo(bytes, context);
        // The wire does not show the plaintext, so its log needs a copy.
        let is_logged = context.telemetry.logs_messages();
        let bytes = if is_logged { Bytes::copy_from_slice(bytes) } else { Bytes::new() };
        let echo = UnloggedEcho::new(bytes, splitter, messages, false);
        self.transmit(Some(echo), context)
    }

    /// Sends a reply through the layer.
    pub(super) fn send_reply_layered(
        &mut self,
        reply: &[u8],
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        self.encode_reply(reply, context);
        self.transmit(None, context)
    }

    /// Ends this direction of the layer, if there is one. Returns whether everything is sent, so that the stream may end.
    /// After a failure, the end of the layer would make the peer believe that nothing went wrong.
    pub(super) fn send_end(&mut self, context: &TurnContext<'_>) -> io::Result<bool> {
        if let Layers::Plain = self.layers {
            return Ok(true);
        }
        if !self.has_failed() {
            self.encode_end(context);
        }
        self.transmit(None, context)?;
        let is_sent = self.send_buffer.is_none();
        if is_sent {
            self.record_omitted_end(context);
        }
        Ok(is_sent)
    }

    /// Ends this direction of the layer before the connection closes, if the socket takes it: a peer may otherwise take the
    /// end of the stream for a truncation.
    #[cold]
    pub(super) fn end_layer(&mut self, now: Instant) {
        let Some(layer) = self.layers.layer() else { return };
        layer.encode_end();
        // The connection closes even if this fails.
        let (sent, _) = self.transmit_layer(now);
        self.count_sent(sent);
    }

    /// Sends what the layer has encoded; the last of these bytes completes `echo`. Bytes that the socket does not take
    /// go to the send buffer.
    pub(super) fn transmit(
        &mut self,
        echo: Option<UnloggedEcho>,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let Some(layer) = self.layers.layer() else { return Ok(()) };
        if echo.is_none() && !layer.has_output() {
            return Ok(());
        }
        let mut rest = Vec::new();
        let (mut sent, mut result) = (0, Ok(()));
        if self.send_buffer.is_none() {
            (sent, result) = self.transmit_layer(context.now);
        }
        // Memory takes everything.
        let _ = self.layers.layer().map(|layer| layer.transmit(&mut rest));
        self.count_sent(sent);
        result?;
        // An echo without bytes of its own is sent with those before it.
        if !rest.is_empty() || self.send_buffer.is_some() {
            return self.send_buffer.get_or_insert_default().push(rest.into(), echo);
        }
        if let Some(mut echo) = echo {
            self.counters.messages_sent.add_messages(echo.counted);
            echo.advance(echo.bytes.len(), self.subject(), context.telemetry);
        }
        Ok(())
    }
}
