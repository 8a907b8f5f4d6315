//! Judgement on the end of a connection.

use common::fault::{Fault, FaultAct};

use super::{connection::Connection, judgement::Judgement, layers};
use crate::load::ipc::observation::{Layer, WireEnd};

/// Faults that end a connection, or its bytes.
const ENDS: [Fault; 5] =
    [Fault::ResetAfter, Fault::CloseAfter, Fault::HalfCloseAfter, Fault::Truncate, Fault::Refuse];

/// Faults because of which a client may wait in vain.
const WAITS: [Fault; 8] = [
    Fault::StallAfter,
    Fault::Delay,
    Fault::Coalesce,
    Fault::Throttle,
    Fault::Drip,
    Fault::Split,
    Fault::AcceptDelay,
    Fault::HandshakeStall,
];

/// Why a connection did not go on to its regular end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A fault has ended it.
    End,
    /// Damage in a handshake or a login has ended it.
    Handshake,
    /// Damage in a record of TLS has ended it.
    Record,
    /// A frame with a mask, a close code or a wrong proof has ended it.
    Violation,
    /// The client has given up, because of a fault that takes time.
    Patience,
}

/// Finds the faults that end the connection, and checks that its end has a cause.
pub(super) fn judge(connection: &Connection<'_>, judgement: &mut Judgement) -> Vec<Cause> {
    let seen = connection.seen;
    let is_damaged = connection.of(Fault::Corrupt).any(|act| connection.has_received(act.offset));
    let given_up =
        seen.end.is_timed_out && connection.acts.iter().any(|act| WAITS.contains(&act.fault));
    let mut causes: Vec<_> = [
        (!seen.is_open && is_damaged, Cause::Handshake),
        (layers::is_record_broken(connection), Cause::Record),
        (layers::is_violated(connection), Cause::Violation),
        (given_up, Cause::Patience),
    ]
    .into_iter()
    .filter_map(|(is_one, cause)| is_one.then_some(cause))
    .collect();
    let mut contradictions = Vec::new();
    for act in connection.acts.iter().filter(|act| ENDS.contains(&act.fault)) {
        if act.offset == seen.received && is_end(connection, act) {
            causes.push(Cause::End);
            judgement.find(act);
        } else {
            contradictions.push(act);
        }
    }
    for act in contradictions {
        // A client that has ended the connection itself does not see what follows.
        let is_beyond = act.offset >= seen.received && seen.end.wire.is_none();
        if is_beyond && !causes.is_empty() {
            judgement.miss(act);
        } else {
            judgement.disagree(format!(
                "the server {} at byte {}; the client received {} bytes, and then {}",
                verb(act.fault),
                act.offset,
                seen.received,
                describe(connection)
            ));
        }
    }
    if judgement.disagreements.is_empty() && causes.is_empty() {
        check_cause(connection, judgement);
    }
    causes
}

/// Checks that an end without a cause is a regular one.
fn check_cause(connection: &Connection<'_>, judgement: &mut Judgement) {
    let end = &connection.seen.end;
    if end.is_timed_out || end.wire == Some(WireEnd::Reset) {
        judgement.disagree(format!(
            "the client received {} bytes, and then {}; no fault explains it",
            connection.seen.received,
            describe(connection)
        ));
    } else if let Some(failure) = &end.failure {
        let layer = match failure.layer {
            Layer::Connect => "the connect",
            Layer::Tls => "TLS",
            Layer::Websocket => "WebSocket",
            Layer::Login | Layer::Proof => "the login",
        };
        judgement.disagree(format!(
            "{layer} failed after {} bytes ({}), and no fault explains it",
            connection.seen.received, failure.text
        ));
    } else if end.wire == Some(WireEnd::Fin) && !end.is_after_ours {
        judgement.disagree(format!(
            "the server ended it after {} bytes, before the client did, and no fault explains it",
            connection.seen.received
        ));
    }
}

/// Returns whether the connection has ended as this fault ends one.
fn is_end(connection: &Connection<'_>, act: &FaultAct) -> bool {
    let end = &connection.seen.end;
    match act.fault {
        Fault::ResetAfter | Fault::Refuse => end.wire == Some(WireEnd::Reset),
        Fault::CloseAfter | Fault::HalfCloseAfter => end.wire == Some(WireEnd::Fin),
        _ => end.is_timed_out || end.wire == Some(WireEnd::Fin),
    }
}

fn verb(fault: Fault) -> &'static str {
    match fault {
        Fault::ResetAfter => "reset it",
        Fault::CloseAfter => "closed it",
        Fault::HalfCloseAfter => "ended its direction",
        Fault::Truncate => "discarded the rest",
        _ => "refused it",
    }
}

fn describe(connection: &Connection<'_>) -> String {
    let end = &connection.seen.end;
    match (&end.failure, end.wire) {
        _ if end.is_timed_out => "nothing within the time limit".to_owned(),
        (_, Some(WireEnd::Reset)) => "a reset".to_owned(),
        (_, Some(WireEnd::Fin)) => "an end of stream".to_owned(),
        (Some(failure), None) => format!("an error ({})", failure.text),
        (None, None) => "ended it itself".to_owned(),
    }
}
