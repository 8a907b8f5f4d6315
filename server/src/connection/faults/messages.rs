//! The echo of a connection on its way through the faults of its messages.
//!
//! The counts of messages and the log of messages are those of the session: what becomes of an echo is in the record of faults.

use std::{io, time::Instant};

use crate::{
    connection::{
        connection::Connection,
        layers::{FaultyEcho, Layers},
        stream::Stream,
        turn::TurnContext,
    },
    faults::{EchoPlace, Format, MessageFaults, Outcome},
    telemetry::Recorder,
};

impl<S: Stream> Connection<S> {
    /// Replaces the faults of messages. Those of a message that has begun stay with it.
    pub(super) fn set_faults_of_messages(&mut self, now: Instant) {
        let end = self.echo_end(self.echoed());
        let plan = self.fault_plan().cloned();
        let Some(echo) = self.echo_mut() else { return };
        match &mut echo.faults {
            Some(faults) => faults.replace(plan, now),
            None => echo.end = end,
        }
    }

    /// Encodes an echo, as its faults change it.
    pub(in crate::connection) fn encode_echo(&mut self, bytes: &[u8], context: &TurnContext<'_>) {
        let Layers::Stacked(stack) = &mut self.layers else { return };
        if stack.wire.is_none() {
            stack.messages.end.offset += bytes.len() as u64;
            return stack.layer.encode(bytes);
        }
        self.encode_faulty_echo(bytes, context);
    }

    /// Encodes an echo of a connection that has or had faults.
    fn encode_faulty_echo(&mut self, bytes: &[u8], context: &TurnContext<'_>) {
        self.begin_faults_of_messages(bytes);
        let faults = self.echo_mut().and_then(|echo| echo.faults.as_deref_mut());
        if let Some(outcome) = faults.map(|faults| faults.push(bytes, context.now)) {
            return self.encode_outcome(&outcome, context);
        }
        self.encode(bytes);
        let echoed = self.echo_mut().map_or(0, |echo| echo.end.offset);
        let end = self.echo_end(echoed + bytes.len() as u64);
        if let Some(echo) = self.echo_mut() {
            echo.end = end;
        }
    }

    /// Encodes a reply behind the echoes that are held.
    pub(in crate::connection) fn encode_reply(&mut self, reply: &[u8], context: &TurnContext<'_>) {
        if !reply.is_empty() {
            self.encode_held(|faults| faults.flush(context.now), context);
            self.encode(reply);
        }
    }

    /// Encodes the end of this direction behind the echoes that are held.
    pub(in crate::connection) fn encode_end(&mut self, context: &TurnContext<'_>) {
        self.encode_held(|faults| faults.end(context.now), context);
        if !self.omits_end(context)
            && let Some(layer) = self.layers.layer()
        {
            layer.encode_end();
        }
    }

    /// Sends the echoes that have been held for long enough.
    pub(super) fn expire_messages(&mut self, context: &TurnContext<'_>) -> io::Result<()> {
        if self.message_deadline().is_some_and(|at| at <= context.now) {
            self.encode_held(|faults| faults.expire(context.now), context);
            self.transmit(None, context)?;
        }
        Ok(())
    }

    pub(super) fn message_deadline(&self) -> Option<Instant> {
        let Layers::Stacked(stack) = &self.layers else { return None };
        stack.messages.faults.as_ref()?.deadline()
    }

    /// Records the fault of a message whose end the connection did not reach.
    pub(super) fn record_last_message(&mut self, telemetry: &Recorder<'_>) {
        let faults = self.echo_mut().and_then(|echo| echo.faults.as_deref_mut());
        if let Some(injected) = faults.and_then(MessageFaults::abandon) {
            self.record_with_plans(&[injected], telemetry);
        }
    }

    /// Begins the faults of messages with the first echo behind a complete message.
    fn begin_faults_of_messages(&mut self, bytes: &[u8]) {
        let begins =
            self.echo_mut().is_some_and(|echo| echo.faults.is_none() && !echo.end.is_in_message);
        if !begins || bytes.is_empty() {
            return;
        }
        let Some(format) = self.echo_format() else { return };
        let faults = self.fault_plan().and_then(|plan| MessageFaults::new(plan, format));
        if let Some(echo) = self.echo_mut()
            && let Some(faults) = faults
        {
            echo.faults = Some(Box::new(faults.at(echo.end)));
        }
    }

    /// Returns what separates the messages of the session. `None`: it has none that are echoed.
    fn echo_format(&self) -> Option<Format> {
        if let Some((format, _)) = self.session.echo() {
            return Some(format);
        }
        match self.session.recorded_as()? {
            "text" => Some(Format::Lines),
            "length" => Some(Format::Frames),
            "raw" => Some(Format::Reads),
            _ => None,
        }
    }

    /// Returns the number of bytes that the session has echoed, of all that were passed to its stream or its layer.
    fn echoed(&self) -> u64 {
        if let Layers::Stacked(stack) = &self.layers
            && stack.layer.has_end()
        {
            return stack.messages.end.offset;
        }
        #[cfg(feature = "login")]
        let before = self.permit.sent_before_login();
        #[cfg(not(feature = "login"))]
        let before = 0;
        let unsent = self.send_buffer.as_ref().map_or(0, |buffer| buffer.unsent() as u64);
        self.totals.bytes_sent + unsent - before
    }

    /// Returns the end of the last echo, behind which the session has echoed so many bytes.
    fn echo_end(&self, offset: u64) -> EchoPlace {
        if let Some((_, end)) = self.session.echo() {
            return end;
        }
        if self.echo_format().is_none() {
            return EchoPlace::default();
        }
        let messages = self.totals.messages_received;
        EchoPlace { offset, messages, is_in_message: self.session.unfinished_messages() > 0 }
    }

    fn encode_held(
        &mut self,
        release: impl FnOnce(&mut MessageFaults) -> Outcome,
        context: &TurnContext<'_>,
    ) {
        let outcome = self.echo_mut().and_then(|echo| echo.faults.as_deref_mut().map(release));
        if let Some(outcome) = outcome {
            self.encode_outcome(&outcome, context);
        }
    }

    fn encode_outcome(&mut self, outcome: &Outcome, context: &TurnContext<'_>) {
        self.encode(&outcome.bytes);
        self.record_with_plans(&outcome.injected, context.telemetry);
    }

    fn encode(&mut self, bytes: &[u8]) {
        if let Some(layer) = self.layers.layer() {
            layer.encode(bytes);
        }
    }

    /// Returns the faults of messages, if the connection has or had any faults.
    fn echo_mut(&mut self) -> Option<&mut FaultyEcho> {
        let Layers::Stacked(stack) = &mut self.layers else { return None };
        stack.wire.is_some().then_some(&mut stack.messages)
    }
}
