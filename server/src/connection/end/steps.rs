//! The steps from the last byte to the close.

use std::{io, time::Instant};

use crate::connection::{
    buffer::HeldBytes,
    connection::Connection,
    stage::Stage,
    stream::Stream,
    turn::{Turn, TurnContext},
};
use crate::{
    config::{Proxy, limits},
    faults::Wire,
    session::{EndCause, Step},
    telemetry::{CloseReason, Closed, ConnectionEvent, LayerNames, Recorder, Subject},
};

impl<S: Stream> Connection<S> {
    /// Ends the session or the preamble: the server drains, and everything that was received is served.
    #[cold]
    pub(in crate::connection) fn end_drain(
        &mut self,
        context: &mut TurnContext<'_>,
    ) -> io::Result<()> {
        let was_preamble = self.stage.is_preamble();
        if !was_preamble {
            self.serve_rest(context)?;
        }
        if !was_preamble && let Some(handler) = self.session.handler() {
            let Some(reply) = handler.drain(context.now) else {
                self.drain.extend();
                return Ok(());
            };
            // The peer has time for its answer, however long it was silent.
            self.last_activity = context.now;
            return self.answer(self.no_echo(), reply, context);
        }
        self.end_because(CloseReason::Drain);
        self.enter(Stage::Flushing, context.now);
        if was_preamble {
            // A peer that has sent data is no probe.
            self.is_logged |= !self.held.is_empty();
            self.held = HeldBytes::default();
            return Ok(());
        }
        self.echo_held(context)
    }

    /// Takes the next step to the end of the connection. Returns the end of the turn, if there is no further step in it.
    #[cold]
    pub(in crate::connection) fn finish(
        &mut self,
        context: &TurnContext<'_>,
    ) -> io::Result<Option<Turn>> {
        self.settle_faults(context)?;
        if self.has_pending_end() {
            // A reset takes the place of this end, as soon as the peer has acknowledged what it follows.
            return Ok(Some(Turn::Wait));
        }
        if self.stage == Stage::Delivering {
            return Ok(Some(if self.stream.is_delivered()? { Turn::Over } else { Turn::Wait }));
        }
        let is_sent = self.send_end(context)?;
        self.settle_faults(context)?;
        if !is_sent || self.has_pending_end() {
            return Ok(None);
        }
        let next = match self.stage {
            Stage::Flushing => Stage::Lingering,
            Stage::Ending if self.totals.bytes_sent > limits::SAFE_ECHO => Stage::Delivering,
            _ => return Ok(Some(Turn::Over)),
        };
        if !self.layers.wire().is_some_and(Wire::has_half_closed) {
            self.half_close()?;
        }
        self.enter(next, context.now);
        Ok(None)
    }

    pub(in crate::connection) fn half_close(&mut self) -> io::Result<()> {
        match self.stream.half_close() {
            // The peer has reset the connection; the next read returns the better error.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                self.readiness.readable = true;
                Ok(())
            }
            closed => closed,
        }
    }

    /// Handles the end of the peer's stream, or of its direction of a layer, and enters `next`.
    pub(in crate::connection) fn end_of_stream(
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
        if was == Stage::Serving && self.begin_departure(context) {
            return Ok(());
        }
        self.enter(next, context.now);
        if was == Stage::Serving {
            self.echo_held(context)?;
            if let Some(handler) = self.session.handler() {
                let last = handler.end(EndCause::EndOfStream, context.now);
                self.send_reply(last, context)?;
            }
            let is_regular = self.session.handler().is_some_and(|handler| handler.may_end());
            if self.is_logged && !is_regular {
                context.telemetry.record(self.subject(), ConnectionEvent::Disconnected { reason });
            }
        }
        Ok(())
    }

    /// Begins the departure of a session that goes on after the end of the peer's stream, until a notice ends it. Returns
    /// whether it is one.
    fn begin_departure(&mut self, context: &TurnContext<'_>) -> bool {
        let held = std::mem::take(&mut self.held);
        let departs = self.session.handler().is_some_and(|handler| handler.depart(&held));
        self.held = held;
        if departs {
            self.held = HeldBytes::default();
            self.stage = Stage::Waiting;
            // After the session, the end of the stream is read once more.
            self.readiness.readable = true;
            if self.is_logged
                && let Some(reason) = self.close_reason
            {
                context.telemetry.record(self.subject(), ConnectionEvent::Disconnected { reason });
            }
        }
        departs
    }

    /// Passes the held bytes of a message that will never be complete to a handler that takes them.
    #[cold]
    pub(in crate::connection) fn serve_rest(
        &mut self,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let is_held_back = self.is_held_back();
        let Some(handler) = self.session.handler().filter(|_| !is_held_back) else {
            return Ok(());
        };
        let Some(step) = handler.receive_rest(&self.held) else { return Ok(()) };
        let rest = std::mem::take(&mut self.held);
        let (_, echo) = self.record_received(&step, &rest, context);
        self.send_indirectly(echo, context)
    }

    /// Echoes the held bytes of a frame that will never be complete.
    pub(in crate::connection) fn echo_held(
        &mut self,
        context: &mut TurnContext<'_>,
    ) -> io::Result<()> {
        self.serve_rest(context)?;
        let held = std::mem::take(&mut self.held);
        if self.session.handler().is_some() {
            return Ok(());
        }
        let (_, echo) = self.record_received(
            &Step::echo(held.len(), isize::from(!held.is_empty())),
            &held,
            context,
        );
        self.send_indirectly(echo, context)
    }

    /// Records that the connection has failed.
    #[cold]
    pub(in crate::connection) fn lose(
        &mut self,
        error: &io::Error,
        context: &TurnContext<'_>,
    ) -> Turn {
        self.end_because(CloseReason::of(error));
        if self.is_logged && self.close_reason != Some(CloseReason::Fault) {
            let event = ConnectionEvent::Lost { error, unsent: self.unsent() };
            context.telemetry.record(self.subject(), event);
        }
        self.log_incomplete_header(context.telemetry);
        Turn::Over
    }

    /// Returns the names of its layers.
    pub(in crate::connection) fn layer_names(&self) -> LayerNames {
        let options = self.options();
        LayerNames([
            options.proxy == Proxy::Required,
            self.permit.policy().has_layer(),
            options.is_http(),
            self.session.is_websocket(),
            options.has_login(),
        ])
    }

    /// Returns the numbers of messages that were received and sent. `delivered`: that of the events that a member of a room
    /// was sent.
    pub(in crate::connection) fn count_messages(&self, delivered: Option<u64>) -> (u64, u64) {
        let unfinished = self.session.unfinished_messages();
        let received = self.totals.messages_received.saturating_add_signed(unfinished as i64);
        let unsent = self.send_buffer.as_ref().map_or(0, |buffer| buffer.messages() + unfinished);
        let sent = delivered.unwrap_or_else(|| received.saturating_add_signed(-unsent as i64));
        (received, sent)
    }

    /// Closes the socket and records the end of the connection. Closing the socket also removes it from the poll.
    pub(crate) fn close(mut self, now: Instant, telemetry: &Recorder<'_>) {
        #[cfg(feature = "rooms")]
        let delivered = self.end_membership(telemetry);
        #[cfg(not(feature = "rooms"))]
        let delivered: Option<u64> = None;
        self.record_last_faults(telemetry);
        let unfinished = self.session.unfinished_messages();
        let is_sent = self.send_buffer.is_none();
        let partly_sent =
            self.send_buffer.as_ref().map_or(0, |buffer| buffer.messages_of_unsent_echo());
        let (messages_received, messages_sent) = self.count_messages(delivered);
        let is_suppressed = self.is_suppressed();
        let layers = self.layer_names();
        let faults = self.fault_id();
        let reads_tcp_info = self.is_logged && telemetry.reads_tcp_info();
        let tcp_info = if reads_tcp_info { self.stream.tcp_info() } else { None };
        let Self { stream, permit, id, peer, is_logged, close_reason, totals, counters, .. } = self;
        #[cfg(feature = "login")]
        let user = permit.account().map(|account| account.name().to_owned());
        #[cfg(not(feature = "login"))]
        let user: Option<String> = None;
        drop(stream);
        let policy = permit.release();
        let reason = close_reason.unwrap_or(CloseReason::SocketError);
        counters.closed.of(reason.index()).add(1);
        // Not below zero: a count that was reported is not taken back.
        counters.messages_received.add_messages(unfinished.max(0));
        if is_sent && delivered.is_none() {
            counters.messages_sent.add_messages(unfinished.max(0));
        }
        counters.messages_sent.add_messages(partly_sent);
        let event = if is_logged {
            ConnectionEvent::Closed(Closed {
                reason,
                listener: &policy.name,
                protocol: policy.options.protocol_name(),
                layers,
                user: user.as_deref(),
                totals: &totals,
                messages_received,
                messages_sent,
                after: now.saturating_duration_since(totals.opened_at),
                faults,
                tcp_info,
                has_text: telemetry.writes_receipts(),
            })
        } else if is_suppressed {
            // The next line about a failure counts it.
            return;
        } else {
            ConnectionEvent::ProbeClosed
        };
        telemetry.record(Subject { id, peer: &peer, counters: &counters }, event);
    }
}
