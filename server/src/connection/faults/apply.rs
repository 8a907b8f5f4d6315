//! How a connection gets its faults, and how it carries out their end.

use std::{io, sync::Arc, time::Instant};

use crate::{
    connection::{
        buffer::HeldBytes, connection::Connection, stage::Stage, stream::Stream, turn::TurnContext,
    },
    faults::{FaultPlan, Wire, WireEnd},
    telemetry::{CloseReason, Recorder},
};

impl<S: Stream> Connection<S> {
    /// Returns whether the connection has faults, or had some that are cleared.
    pub(crate) fn has_faults(&self) -> bool {
        self.layers.wire().is_some()
    }

    /// Returns whether the listener has faults now.
    pub(crate) fn listener_has_faults(&self) -> bool {
        self.permit.policy().faults.has_any()
    }

    /// Gives a new connection the faults that its listener had when it was accepted, or those that it got since then.
    #[cold]
    pub(crate) fn begin_with_faults(
        &mut self,
        plan: Option<Box<FaultPlan>>,
        now: Instant,
        telemetry: &Recorder<'_>,
    ) {
        if let Some(plan) = plan {
            self.set_faults(Some(*plan), true, now);
            // Before, the peer is not silent: the server does not listen.
            let opens_at = self.layers.wire().and_then(Wire::opens_at);
            self.last_activity = self.last_activity.max(opens_at.unwrap_or(now));
        }
        self.update_faults(now, telemetry);
    }

    /// Takes over the faults that the listener has now. Returns whether they are others than before; then a turn must follow.
    #[cold]
    pub(crate) fn update_faults(&mut self, now: Instant, telemetry: &Recorder<'_>) -> bool {
        let injector = self.permit.policy().faults.get();
        let present = self.fault_plan().map(FaultPlan::injector);
        let is_same = match (present, &injector) {
            (None, None) => true,
            (Some(present), Some(injector)) => Arc::ptr_eq(present, injector),
            _ => false,
        };
        if !is_same {
            // What was injected has the numbers of the former faults.
            self.record_injected(telemetry);
            self.set_faults(injector.map(|injector| injector.next_plan()), false, now);
        }
        !is_same
    }

    fn set_faults(&mut self, plan: Option<FaultPlan>, is_new: bool, now: Instant) {
        // The turn may have begun before the connection, and a delay counts from its beginning.
        let now = if is_new { now.max(Instant::now()) } else { now };
        let (received, sent) = (self.totals.bytes_received, self.totals.bytes_sent);
        self.session.handle();
        self.layers.wire_or_new(received, sent).set_plan(plan, is_new, now);
        self.set_session_faults();
        self.set_faults_of_messages(now);
        // What the former faults have held is due.
        self.readiness.readable = true;
    }

    /// Records the faults that were injected, and carries out the end that they bring.
    ///
    /// # Errors
    ///
    /// If the connection is reset, by its faults or by the peer.
    #[cold]
    pub(in crate::connection) fn settle_faults(
        &mut self,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let Some(wire) = self.layers.wire() else { return Ok(()) };
        let has_both_directions =
            !wire.has_half_closed() && (self.stage.is_preamble() || self.stage.is_in_session());
        if self.readiness.has_more && has_both_directions && self.stream.is_reset_by_peer() {
            // The faults may hold back each read and each write that would find it.
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.expire_messages(context)?;
        self.record_injected(context.telemetry);
        let end = self.layers.wire().and_then(Wire::end);
        end.map_or(Ok(()), |end| self.carry_out(end, context))
    }

    /// Records the faults that were injected.
    pub(in crate::connection) fn record_injected(&mut self, telemetry: &Recorder<'_>) {
        let acts = self.layers.wire_mut().map(Wire::take_acts).unwrap_or_default();
        self.record_faults(&acts, telemetry);
        self.record_fault_of_session(telemetry);
    }

    /// Returns whether an end has come that is not carried out yet.
    pub(in crate::connection) fn has_pending_end(&self) -> bool {
        self.layers.wire().and_then(Wire::end).is_some()
    }

    fn carry_out(&mut self, end: WireEnd, context: &TurnContext<'_>) -> io::Result<()> {
        let Some(wire) = self.layers.wire_mut() else { return Ok(()) };
        if end == WireEnd::Reset && !self.stream.is_acknowledged() && wire.postpone_end(context.now)
        {
            // A reset discards what the system has not sent yet.
            return Ok(());
        }
        wire.set_ended();
        match end {
            WireEnd::Reset => {
                self.end_because(CloseReason::Fault);
                self.stream.reset();
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            WireEnd::Close => {
                self.end_because(CloseReason::Fault);
                self.send_buffer = None;
                self.held = HeldBytes::default();
                if self.stage.is_preamble() || self.stage.is_in_session() {
                    self.enter(Stage::Flushing, context.now);
                }
                Ok(())
            }
            WireEnd::HalfClose => self.half_close(),
            WireEnd::Discard => Ok(()),
        }
    }

    /// Returns whether the connection has something to do for its faults by `now`.
    pub(in crate::connection) fn has_due_faults(&self, now: Instant) -> bool {
        self.fault_deadline().is_some_and(|at| at <= now)
    }

    /// Returns the time by which it has.
    pub(in crate::connection) fn fault_deadline(&self) -> Option<Instant> {
        let is_sending = self.send_buffer.is_some();
        let reads = matches!(
            self.stage,
            Stage::ProxyHeader | Stage::Handshake | Stage::Serving | Stage::Lingering
        );
        let of_wire = self.layers.wire()?.deadline(reads && !is_sending, is_sending);
        [of_wire, self.message_deadline()].into_iter().flatten().min()
    }
}
