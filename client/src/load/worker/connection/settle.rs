//! Comparison of a connection with the receipt of the server, at its end.

use std::io::{self, ErrorKind as Io};

use super::state::{Connection, State, TURN};
use crate::{
    load::{
        stats::error_kind::ErrorKind,
        worker::io::{context::Context, wire::Wire},
    },
    websocket,
};

impl<W: Wire> Connection<W> {
    /// Half-closes a connection that has failed, so that its receipt may show why. Returns the connection that has no ledger.
    pub(super) fn begin_settling(&mut self, context: &Context<'_>, mut wire: W) -> Option<W> {
        if wire.ledger().is_none() {
            return Some(wire);
        }
        wire.half_close();
        self.last_activity = context.now();
        self.state = State::Settling(wire);
        self.has_yielded = true;
        None
    }

    /// Receives the rest of a connection that has failed, within the limit of a turn. It ends in the ledger.
    pub(super) fn settle(&mut self, context: &mut Context<'_>) {
        for _ in 0..TURN {
            let State::Settling(wire) = &mut self.state else { return };
            match wire.receive(&mut context.received) {
                Ok(1..) => self.last_activity = context.now(),
                Err(error) if error.kind() == Io::WouldBlock => return,
                Err(error) if error.kind() == Io::Interrupted => {}
                // A wrong message of a WebSocket, which is already counted.
                Err(error) if is_wrong_message(&error) => {}
                Ok(0) | Err(_) => {
                    self.finish_settling(context);
                    return;
                }
            }
        }
        self.has_yielded = true;
    }

    /// Compares a connection that has failed, and finishes it.
    pub(super) fn finish_settling(&mut self, context: &mut Context<'_>) {
        if let State::Settling(mut wire) = self.take_state() {
            let _ = conclude(&mut wire, context);
        }
    }

    /// Compares a connection of which every message has returned.
    pub(super) fn conclude_closed(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        match &mut self.state {
            State::Closing(wire) => conclude(wire, context),
            _ => Ok(()),
        }
    }
}

fn is_wrong_message(error: &io::Error) -> bool {
    matches!(websocket::Error::inside(error), Some(websocket::Error::Message(_)))
}

/// Compares the ledger with the receipt and counts the result.
fn conclude<W: Wire>(wire: &mut W, context: &mut Context<'_>) -> Result<(), ErrorKind> {
    let Some(ledger) = wire.ledger().take() else { return Ok(()) };
    let receipts = &mut context.stats.receipts;
    let answer = ledger.conclude().map_err(|why| {
        receipts.record_none(why);
        ErrorKind::Receipt
    })?;
    receipts.record(&answer);
    // Bytes behind the last echo, which the server sent itself, are no echo either.
    if answer.comparison.is_intact() && answer.is_echo() { Ok(()) } else { Err(ErrorKind::Receipt) }
}
