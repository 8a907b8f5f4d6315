//! End of a connection: by this side, or by the server.

use std::io::{self, ErrorKind as Io};

use super::state::{Connection, State, TURN};
use crate::load::{
    stats::{error_kind::ErrorKind, fault::FaultKind},
    worker::io::{context::Context, wire::Wire},
};

impl<W: Wire> Connection<W> {
    /// Handles the end of the stream. It is no failure if nothing is in flight and nothing is left to send.
    /// `sent` is the result of the last send: a failed one may have consumed the error that tells a reset
    /// from an end.
    pub(super) fn handle_end(
        &mut self,
        context: &mut Context<'_>,
        sent: &io::Result<()>,
    ) -> Result<(), ErrorKind> {
        self.close_if_idle(context)?;
        match (&self.state, sent) {
            (State::Closing(_), _) => self.finish_or_replace(context),
            (State::Open(_), Err(error)) if error.kind() == Io::ConnectionReset => {
                Err(ErrorKind::Reset)
            }
            (State::Open(_), _) if !context.config.expect_restart => Err(ErrorKind::Closed),
            (State::Open(_), _) => {
                self.reconnect_after_drain(context);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Handles a failed receive. An end of the stream without a `close_notify` is like one with it, if nothing was in
    /// flight and nothing is left to send.
    pub(super) fn handle_failure(
        &mut self,
        context: &mut Context<'_>,
        error: &io::Error,
    ) -> Result<(), ErrorKind> {
        match error.kind() {
            Io::UnexpectedEof => {
                self.close_if_idle(context)?;
                if !matches!(self.state, State::Open(_)) {
                    return Ok(());
                }
                context.stats.truncated += 1;
                Err(ErrorKind::Truncated)
            }
            _ => match context.record_failure(error) {
                Some(ErrorKind::Closed) => self.handle_unannounced_end(context),
                Some(kind @ ErrorKind::MessageBoundary) => {
                    self.record_message_fault(context, FaultKind::Boundary, error);
                    Err(kind)
                }
                Some(kind @ ErrorKind::MessageType) => {
                    self.record_message_fault(context, FaultKind::Type, error);
                    Err(kind)
                }
                kind => Err(kind.unwrap_or(ErrorKind::Reset)),
            },
        }
    }

    /// Handles an end of the stream without a close frame of WebSocket, which is like one with it if nothing was in flight
    /// and nothing is left to send.
    fn handle_unannounced_end(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        self.close_if_idle(context)?;
        if matches!(self.state, State::Open(_)) { Err(ErrorKind::Closed) } else { Ok(()) }
    }

    /// Counts the end of an open WebSocket: with close frames of both sides, or without.
    pub(super) fn count_close(&self, context: &mut Context<'_>) {
        let (State::Open(wire) | State::Closing(wire) | State::Diagnosing(wire, _)) = &self.state
        else {
            return;
        };
        if W::IS_WEBSOCKET {
            let stats = &mut context.stats;
            *(if wire.has_closed() { &mut stats.closes } else { &mut stats.unclosed }) += 1;
        }
    }

    /// Closes the connection if nothing is in flight, and either nothing is left to send or its churn limit
    /// is reached.
    pub(super) fn close_if_idle(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        if !matches!(self.state, State::Open(_)) || self.expectation.in_flight() > 0 {
            return Ok(());
        }
        let lines = self.expectation.returned_lines() - self.lines_at_connect;
        let is_spent = context.config.churn.is_some_and(|churn| lines >= churn);
        if !self.has_more_to_send(context) || is_spent { self.close(context) } else { Ok(()) }
    }

    fn close(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        if let State::Open(mut wire) = self.take_state() {
            wire.half_close();
            self.state = State::Closing(wire);
            self.last_activity = context.now();
        }
        self.await_end(context)
    }

    /// Receives until the server's end of stream, within the limit of a turn. A byte before it is an error.
    pub(super) fn await_end(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        for _ in 0..TURN {
            let wire = match &mut self.state {
                State::Closing(wire) => wire,
                State::Settling(_) => {
                    self.settle(context);
                    return Ok(());
                }
                _ => return self.collect_evidence(context),
            };
            match wire.receive(&mut context.received) {
                // The receipt.
                Ok(1..) if wire.ledger().is_some() => self.last_activity = context.now(),
                Ok(read @ 1..) => {
                    let extra = context.received[..read].to_vec();
                    if let State::Closing(wire) = self.take_state() {
                        self.state = State::Diagnosing(wire, extra);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                // Every byte has returned, so a failure of the connection has no effect.
                Ok(0) => return self.finish_or_replace(context),
                Err(error) => {
                    context.stats.truncated += u64::from(error.kind() == Io::UnexpectedEof);
                    return self.finish_or_replace(context);
                }
            }
        }
        self.has_yielded = true;
        Ok(())
    }

    /// Finishes the connection, or makes a new one if its churn limit is reached and messages are left to
    /// send.
    pub(super) fn finish_or_replace(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        self.conclude_closed(context)?;
        self.count_close(context);
        self.state = State::Finished;
        if context.config.churn.is_some()
            && self.has_more_to_send(context)
            && let Err(error) = self.start_connect(context)
        {
            return self.retry_later(context, &error);
        }
        Ok(())
    }
}
