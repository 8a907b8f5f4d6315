//! Failure of a connection, and the evidence for its diagnosis.

use std::io::{self, ErrorKind as Io};

use super::state::{Connection, State, TURN};
use crate::{
    load::{
        stats::{
            error_kind::ErrorKind,
            fault::{Fault, FaultKind},
        },
        worker::{
            diagnose::explain::{evidence_len, explain},
            io::{context::Context, wire::Wire},
        },
    },
    net::sign::{is_alert, is_http, is_login_required},
};

impl<W: Wire> Connection<W> {
    /// Collects the bytes after a wrong one, until they suffice for the diagnosis.
    pub(super) fn collect_evidence(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        let State::Diagnosing(wire, evidence) = &mut self.state else {
            return Ok(());
        };
        let enough = evidence_len(context.config.max_size);
        for _ in 0..TURN {
            if evidence.len() >= enough {
                evidence.truncate(enough);
                return Err(ErrorKind::WrongBytes);
            }
            match wire.receive(&mut context.received) {
                Ok(0) => return Err(ErrorKind::WrongBytes),
                Ok(read) => {
                    evidence.extend_from_slice(&context.received[..read]);
                    self.last_activity = context.now();
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                Err(_) => return Err(ErrorKind::WrongBytes),
            }
        }
        self.has_yielded = true;
        Ok(())
    }

    /// Adds a message whose bytes are right, and whose boundary or type is not, to the faults.
    pub(super) fn record_message_fault(
        &self,
        context: &mut Context<'_>,
        kind: FaultKind,
        error: &io::Error,
    ) {
        let expected = self.expectation.next_expected();
        let (connection, offset) = (expected.connection(), expected.offset());
        if context.stats.has_room_for_fault() {
            let text = format!("connection {connection}, after byte {offset}: {error}");
            context.stats.faults.push(Fault { connection, offset, kind, text });
        }
    }

    /// Counts an error and the messages that it loses, explains wrong bytes, and finishes the connection.
    pub(super) fn fail(&mut self, context: &mut Context<'_>, kind: ErrorKind) {
        self.count_close(context);
        context.stats.record_error(kind);
        let (lines, bytes) = if self.drained_at.is_some() {
            // Messages that were to be sent again are lost too.
            (self.expectation.in_flight(), self.expectation.bytes_in_flight())
        } else {
            let lines = self.expectation.outstanding_lines(&context.streams);
            (lines, self.expectation.outstanding_bytes())
        };
        context.stats.lost += lines;
        context.stats.bytes_lost += bytes;
        let (wire, evidence) = match self.take_state() {
            State::Diagnosing(wire, evidence) => (wire, Some(evidence)),
            State::Open(wire) | State::Closing(wire) => (wire, None),
            _ => return,
        };
        if let Some(evidence) = evidence {
            self.record_evidence(context, &evidence);
        }
        drop(self.begin_settling(context, wire));
    }

    /// Explains wrong bytes.
    fn record_evidence(&self, context: &mut Context<'_>, evidence: &[u8]) {
        let expected = self.expectation.next_expected();
        context.stats.tls_alerts += u64::from(expected.offset() == 0 && is_alert(evidence));
        context.stats.http_answers += u64::from(is_http(expected.offset(), evidence));
        context.stats.login_demands += u64::from(is_login_required(expected.offset(), evidence));
        if context.stats.has_room_for_fault() {
            let fault = explain(&context.streams, expected, context.channel_count(), evidence);
            context.stats.faults.push(fault);
        }
    }
}
