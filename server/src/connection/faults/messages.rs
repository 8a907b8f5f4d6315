//! The echo of a connection on its way through the faults of its messages, and the end of its layer.
//!
//! The counts of messages and the log of messages are those of the session: what becomes of an echo is in the record of faults.

use std::{io, time::Instant};

use common::fault::{Fault, FaultAct};

use crate::{
    config::FaultKind,
    connection::{
        connection::Connection,
        layers::{FaultyEcho, Layers},
        stream::Stream,
        turn::TurnContext,
    },
    faults::{FaultPlan, Format, MessageFaults, Outcome},
};

impl<S: Stream> Connection<S> {
    /// Replaces the faults of messages. Those of a message that has begun stay with it.
    pub(super) fn set_faults_of_messages(&mut self, now: Instant) {
        let is_in_message = self.session.unfinished_messages() > 0;
        let plan = self.fault_plan().cloned();
        let Some(echo) = self.echo_mut() else { return };
        match &mut echo.faults {
            Some(faults) => faults.replace(plan, now),
            None => echo.is_in_message = is_in_message,
        }
    }

    /// Encodes an echo of which `messages` are complete, as its faults change it.
    pub(in crate::connection) fn encode_echo(
        &mut self,
        bytes: &[u8],
        messages: isize,
        context: &TurnContext<'_>,
    ) {
        self.begin_faults_of_messages(bytes, messages);
        let is_in_message = self.session.unfinished_messages() > 0;
        let outcome = self.echo_mut().and_then(|echo| {
            echo.is_in_message = is_in_message;
            echo.faults.as_mut().map(|faults| faults.push(bytes, context.now))
        });
        match outcome {
            Some(outcome) => self.encode_outcome(&outcome, context),
            None => self.encode(bytes),
        }
    }

    /// Encodes a reply behind the echoes that are held.
    pub(in crate::connection) fn encode_reply(&mut self, reply: &[u8], context: &TurnContext<'_>) {
        if !reply.is_empty() {
            self.encode_held(MessageFaults::flush, context);
            self.encode(reply);
        }
    }

    /// Encodes the end of this direction behind the echoes that are held.
    pub(in crate::connection) fn encode_end(&mut self, context: &TurnContext<'_>) {
        self.encode_held(MessageFaults::end, context);
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

    /// Begins the faults of messages with the first echo behind a complete message.
    fn begin_faults_of_messages(&mut self, bytes: &[u8], messages: isize) {
        let begins =
            self.echo_mut().is_some_and(|echo| echo.faults.is_none() && !echo.is_in_message);
        if !begins || bytes.is_empty() {
            return;
        }
        let Some(format) = self.message_format() else { return };
        let Some(faults) = self.fault_plan().and_then(|plan| MessageFaults::new(plan, format))
        else {
            return;
        };
        // What was echoed before the faults began is known of a plain connection.
        let has_end = self.layers.layer().is_some_and(|layer| layer.has_end());
        let is_plain = !has_end && !self.options().is_http() && !self.options().has_login();
        let before = self.totals.messages_received.saturating_add_signed(-(messages as i64));
        let sent = self.totals.bytes_sent
            + self.send_buffer.as_ref().map_or(0, |buffer| buffer.unsent() as u64);
        let faults = if is_plain { faults.behind(sent, before) } else { faults };
        if let Some(echo) = self.echo_mut() {
            echo.faults = Some(Box::new(faults));
        }
    }

    /// Returns what separates the messages of the session. `None`: it has none that are echoed.
    fn message_format(&self) -> Option<Format> {
        if self.session.is_websocket() {
            return Some(Format::WebSocket);
        }
        match self.session.recorded_as()? {
            "text" => Some(Format::Lines),
            "length" => Some(Format::Frames),
            "raw" => Some(Format::Reads),
            _ => None,
        }
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
        self.record_faults(&outcome.acts, context.telemetry);
    }

    fn encode(&mut self, bytes: &[u8]) {
        if let Some(layer) = self.layers.layer() {
            layer.encode(bytes);
        }
    }

    /// Decides whether the peer misses the end of the layer, once.
    fn omits_end(&mut self, context: &TurnContext<'_>) -> bool {
        let applies = |plan: &FaultPlan| {
            let mut rules = plan.rules().filter(|rule| plan.applies(rule, context.now));
            rules.any(|rule| matches!(rule.kind, FaultKind::NoCloseNotify))
        };
        let has_fault = self.fault_plan().is_some_and(applies);
        let Layers::Stacked(stack) = &mut self.layers else { return false };
        if let Some(omits_end) = stack.omits_end {
            return omits_end;
        }
        let omits_end = has_fault && stack.layer.has_end();
        stack.omits_end = Some(omits_end);
        omits_end
    }

    /// Records, once, that the peer misses the end of the layer behind the last byte.
    pub(in crate::connection) fn record_omitted_end(&mut self, context: &TurnContext<'_>) {
        let Layers::Stacked(stack) = &mut self.layers else { return };
        let omits_end = stack.omits_end == Some(true);
        if omits_end && !std::mem::replace(&mut stack.is_omission_recorded, true) {
            let act = FaultAct::sent(Fault::NoCloseNotify, self.totals.bytes_sent);
            self.record_faults(&[act], context.telemetry);
        }
    }

    /// Returns the faults of messages, if the connection has or had any faults.
    fn echo_mut(&mut self) -> Option<&mut FaultyEcho> {
        let Layers::Stacked(stack) = &mut self.layers else { return None };
        stack.wire.is_some().then_some(&mut stack.messages)
    }
}
