//! Judgement on the end of a connection.

use common::fault::{Fault, FaultAct};

use super::{judgement::Judgement, layers, stream::Connection};
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Causes {
    /// A fault has ended it.
    pub(super) ended_by: Option<Fault>,
    /// Damage in a handshake or a login has ended it.
    pub(super) is_handshake_broken: bool,
    /// Damage in a record of TLS has ended it.
    pub(super) is_record_broken: bool,
    /// A frame with a mask, a close code or a wrong proof has ended it.
    pub(super) is_violated: bool,
    /// The client has given up, because of a fault that takes time.
    pub(super) is_given_up: bool,
}

impl Causes {
    /// Returns whether some of the echo may be missing.
    pub(super) fn explain_missing(&self) -> bool {
        self.ended_by.is_some()
            || self.is_handshake_broken
            || self.is_record_broken
            || self.is_violated
            || self.is_given_up
    }
}

/// Finds the faults that end the connection, and checks that its end has a cause.
pub(super) fn judge(connection: &Connection<'_>, judgement: &mut Judgement) -> Causes {
    let seen = connection.seen;
    let mut causes = Causes {
        is_handshake_broken: !seen.is_open
            && connection.of(Fault::Corrupt).any(|act| connection.has_received(act.offset)),
        is_record_broken: layers::is_record_broken(connection),
        is_violated: layers::is_violated(connection),
        ..Causes::default()
    };
    let mut contradictions = Vec::new();
    for act in connection.acts.iter().filter(|act| ENDS.contains(&act.fault)) {
        if act.offset == seen.received && is_end(connection, act) {
            causes.ended_by = Some(act.fault);
            judgement.find(act);
        } else {
            contradictions.push(act);
        }
    }
    causes.is_given_up =
        seen.end.is_timed_out && connection.acts.iter().any(|act| WAITS.contains(&act.fault));
    for act in contradictions {
        // A client that has ended the connection itself does not see what follows.
        let is_beyond = act.offset >= seen.received && seen.end.wire.is_none();
        if is_beyond && causes.explain_missing() {
            judgement.miss(act);
        } else {
            judgement.disagree(format!(
                "the server {} at byte {}; the client received {} bytes, and then {}",
                deed(act.fault),
                act.offset,
                seen.received,
                describe(connection)
            ));
        }
    }
    if judgement.disagreements.is_empty() {
        check_cause(connection, &causes, judgement);
    }
    causes
}

/// Checks that an end that is not a regular one has a cause.
fn check_cause(connection: &Connection<'_>, causes: &Causes, judgement: &mut Judgement) {
    let end = &connection.seen.end;
    if causes.explain_missing() {
        return;
    }
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

fn deed(fault: Fault) -> &'static str {
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
