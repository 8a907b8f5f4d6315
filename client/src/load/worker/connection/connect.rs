//! Connecting, and connecting again after the server has ended the connection.

use std::io::{self, ErrorKind as Io};

use super::state::{Connection, State};
use crate::{
    load::{
        stats::error_kind::ErrorKind,
        worker::io::{context::Context, opening::Opening, wire::Wire},
    },
    login,
};

impl<W: Wire> Connection<W> {
    pub(super) fn start_connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.state = State::Connecting(Opening::start(context, self.token, self.source)?);
        self.last_activity = context.now();
        self.has_pending_end = false;
        Ok(())
    }

    /// Opens the connection, if it is connecting, the socket is ready and the handshakes are complete.
    pub(super) fn complete_connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let State::Connecting(opening) = &mut self.state else { return Ok(()) };
        if !opening.advance(context)? {
            return Ok(());
        }
        if let State::Connecting(opening) = self.take_state() {
            let mut wire = opening.into_wire();
            if context.config.expects_receipt {
                wire.keep_ledger();
            }
            self.state = State::Open(wire);
        }
        self.lines_at_connect = self.expectation.returned_lines();
        Ok(())
    }

    /// Connects again after the server has drained and ended the connection. The messages in flight are
    /// sent again.
    pub(super) fn reconnect_after_drain(&mut self, context: &mut Context<'_>) {
        self.count_close(context);
        context.stats.drains += 1;
        context.stats.bytes_resent += self.expectation.outstanding_bytes();
        context.stats.resent += self.expectation.requeue(&context.streams);
        self.state = State::Disconnected;
        // A server that ends every connection immediately gets no more attempts than one that is not
        // reachable.
        if self.drained_at.is_none() {
            self.drained_at = Some(context.now());
            self.try_reconnect(context);
        }
    }

    pub(super) fn try_reconnect(&mut self, context: &mut Context<'_>) {
        if self.start_connect(context).is_err() {
            self.state = State::Disconnected;
        }
    }

    /// Handles a failed connect: it is retried if the server may be restarting, or if the backlog of its
    /// Unix socket is full.
    pub(super) fn retry_later(
        &mut self,
        context: &mut Context<'_>,
        error: &io::Error,
    ) -> Result<(), ErrorKind> {
        let kind = context.record_failure(error);
        let is_final = login::Error::inside(error).is_some_and(login::Error::is_final);
        if is_final || !context.config.expect_restart && error.kind() != Io::WouldBlock {
            return Err(match kind {
                None if error.kind() == Io::UnexpectedEof => ErrorKind::Tls,
                kind => kind.unwrap_or(ErrorKind::Connect),
            });
        }
        self.drained_at.get_or_insert(context.now());
        self.state = State::Disconnected;
        Ok(())
    }
}
