//! Connection as a channel of the event loop, with its time limits.

use std::{io, time::Duration};

use mio::event::Event;

use super::state::{Connection, State};
use crate::load::{
    ipc::worker_config::WorkerConfig,
    stats::error_kind::ErrorKind,
    worker::io::{channel::Channel, context::Context, wire::Wire},
};

/// Limit for more bytes to arrive after a wrong one.
const EVIDENCE_TIMEOUT: Duration = Duration::from_millis(200);

/// Limit for the server's end of stream after ours. A server that never closes is still an echo server.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

impl<W: Wire> Channel for Connection<W> {
    type Shared = ();

    fn shared(_: &WorkerConfig) {}

    fn new(context: &Context<'_>, index: u32) -> Self {
        Self::create(context, index)
    }

    fn connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.start_connect(context)
    }

    fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    fn is_open(&self) -> bool {
        !matches!(self.state, State::Connecting(_) | State::Disconnected | State::Finished)
    }

    fn late_handshake(&self, limit: Duration) -> Option<io::Error> {
        let State::Connecting(opening) = &self.state else { return None };
        opening.late_handshake(limit)
    }

    fn finish_connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.complete_connect(context)
    }

    fn extend_backlog(&mut self, due: u64) -> bool {
        let had_backlog = self.backlog() > 0;
        self.due = due;
        !had_backlog && self.backlog() > 0
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn handle_event(&mut self, context: &mut Context<'_>, event: &Event) {
        self.has_pending_end |= event.is_read_closed() || event.is_error();
        self.drive(context);
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Err(kind) = self.transfer(context) {
            self.fail(context, kind);
        }
    }

    fn take_yielded(&mut self) -> bool {
        std::mem::take(&mut self.has_yielded)
    }

    fn stop(&mut self, context: &mut Context<'_>) {
        debug_assert!(context.is_stopping);
        let is_disconnected = matches!(self.state, State::Connecting(_) | State::Disconnected);
        if is_disconnected && self.backlog() == 0 && self.expectation.in_flight() == 0 {
            self.state = State::Finished;
        } else if let Err(kind) = self.close_if_idle(context) {
            self.fail(context, kind);
        }
    }

    fn drop_warmup(&mut self, context: &mut Context<'_>) {
        self.due = self.expectation.drop_unsent(&context.streams);
        context.drop_warmup(self.index(), self.due);
        if context.is_stopping {
            self.stop(context);
        }
    }

    fn drop_unsent(&mut self, context: &mut Context<'_>) {
        let queued = self.expectation.queued_lines();
        context.record_late(self.index(), queued..self.due);
        let sent = self.expectation.drop_unsent(&context.streams);
        context.record_unsent(self.index(), sent..self.due);
        self.due = sent;
        self.stop(context);
    }

    fn check_timeouts(&mut self, context: &mut Context<'_>, now: Duration) {
        let waited = now.saturating_sub(self.last_activity);
        let waiting_since = self.drained_at.unwrap_or(self.last_activity);
        let is_late = now.saturating_sub(waiting_since) > context.config.timeout;
        match self.state {
            State::Disconnected if !is_late => self.try_reconnect(context),
            State::Connecting(_) | State::Disconnected if is_late => {
                let error = self.late_handshake(context.config.timeout);
                let kind = error.and_then(|error| context.record_failure(&error));
                self.fail(context, kind.unwrap_or(ErrorKind::Connect));
            }
            State::Open(_) if is_late && self.expectation.in_flight() > 0 => {
                self.fail(context, ErrorKind::Timeout);
            }
            State::Closing(_) if waited > close_timeout(context.config) => {
                if let Err(kind) = self.finish_or_replace(context) {
                    self.fail(context, kind);
                }
            }
            State::Diagnosing(..) if waited > EVIDENCE_TIMEOUT => {
                self.fail(context, ErrorKind::WrongBytes);
            }
            State::Settling(_) if waited > context.config.timeout => self.finish_settling(context),
            _ => {}
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Counts nothing: a connection counts everything when it finishes.
    fn finalize(_: &[Self], _: &mut Context<'_>) {}
}

/// Returns the limit for the server's end of stream after ours. A receipt has to arrive before it.
fn close_timeout(config: &WorkerConfig) -> Duration {
    if config.expects_receipt { config.timeout } else { CLOSE_TIMEOUT.min(config.timeout) }
}
