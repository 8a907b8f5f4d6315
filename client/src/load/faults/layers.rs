//! Judgement on the layers of a connection: TLS, WebSocket and the login.

use common::fault::{Fault, FaultAct};

use super::{connection::Connection, judgement::Judgement};
use crate::load::ipc::observation::{Layer, TlsObservation, WireEnd};

/// Code of a close that answers the client's (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1000;

/// Finds the faults of the layers, and checks that nothing else has happened there.
pub(super) fn judge(connection: &Connection<'_>, judgement: &mut Judgement) {
    if let Some(tls) = &connection.seen.tls {
        judge_damage(connection, tls, judgement);
        judge_close_notify(connection, tls, judgement);
    }
    judge_mask(connection, judgement);
    judge_close_code(connection, judgement);
    judge_proof(connection, judgement);
}

/// Returns whether a record of TLS was damaged so that the connection has ended, or waits for bytes that do not come.
pub(super) fn is_record_broken(connection: &Connection<'_>) -> bool {
    let Some(tls) = &connection.seen.tls else { return false };
    connection.of(Fault::Corrupt).any(|act| breaks(connection, tls, act))
}

/// Returns whether the server has broken a layer on purpose, so that the connection has ended.
pub(super) fn is_violated(connection: &Connection<'_>) -> bool {
    let seen = connection.seen;
    let has = |fault| connection.of(fault).next().is_some();
    let is_proof = seen.end.failure.as_ref().is_some_and(|it| it.layer == Layer::Proof);
    seen.masked_at.is_some() && has(Fault::BadMask)
        || connection.of(Fault::CloseCode).any(|act| act.code == seen.close_code)
        || is_proof && has(Fault::LoginWrongProof)
}

/// Returns whether damage has ended an established session.
fn breaks(connection: &Connection<'_>, tls: &TlsObservation, act: &FaultAct) -> bool {
    let seen = connection.seen;
    let (start, end) = tls.record;
    let is_failed = seen.end.failure.as_ref().is_some_and(|it| it.layer == Layer::Tls);
    let is_partial = end > seen.received;
    tls.is_established
        && connection.has_received(act.offset)
        && (start..end).contains(&act.offset)
        && (is_failed || is_partial)
}

fn judge_damage(connection: &Connection<'_>, tls: &TlsObservation, judgement: &mut Judgement) {
    let mut headers = tls.headers.clone();
    for act in connection.of(Fault::Corrupt) {
        let header = headers.iter().position(|it| it.at == act.offset && Some(it.mask) == act.mask);
        if let Some(header) = header {
            headers.remove(header);
            judgement.find(act);
            continue;
        }
        let is_received = connection.has_received(act.offset);
        match () {
            () if !is_received => connection.miss(act, judgement),
            () if !connection.seen.is_open || breaks(connection, tls, act) => judgement.find(act),
            // The client has not waited for the end of the record.
            () if act.offset >= tls.record.0 => judgement.miss(act),
            () => judgement.disagree(format!(
                "the server inverted the bits {:#04x} of byte {}, and TLS did not notice it",
                act.mask.unwrap_or(0),
                act.offset
            )),
        }
    }
    // Behind a damaged length, no header is where it seems to be.
    let misread = connection
        .of(Fault::Corrupt)
        .filter(|act| !connection.seen.is_open || breaks(connection, tls, act))
        .map(|act| act.offset)
        .min();
    for header in headers.into_iter().filter(|it| misread.is_none_or(|from| it.at < from)) {
        judgement.disagree(format!(
            "byte {} of a record's header has the bits {:#04x} inverted, and no fault explains it",
            header.at, header.mask
        ));
    }
}

fn judge_close_notify(
    connection: &Connection<'_>,
    tls: &TlsObservation,
    judgement: &mut Judgement,
) {
    let seen = connection.seen;
    let is_cut = seen.end.wire == Some(WireEnd::Fin) && !tls.has_close_notify;
    let mut is_explained = connection.acts.iter().any(|act| {
        matches!(act.fault, Fault::CloseAfter | Fault::HalfCloseAfter | Fault::Truncate)
    });
    for act in connection.of(Fault::NoCloseNotify) {
        if is_cut && act.offset == seen.received {
            judgement.find(act);
            is_explained = true;
        } else if act.offset >= seen.received && (seen.end.wire.is_none() || is_explained) {
            judgement.miss(act);
        } else {
            judgement.disagree(format!(
                "the server ended TLS without close_notify at byte {}; the client received {} bytes, {}",
                act.offset,
                seen.received,
                if tls.has_close_notify { "and a close_notify" } else { "and no close_notify" }
            ));
        }
    }
    if is_cut && !is_explained && tls.is_established && !is_record_broken(connection) {
        judgement.disagree(format!(
            "the server ended TLS without close_notify after {} bytes, and no fault explains it",
            seen.received
        ));
    }
}

fn judge_mask(connection: &Connection<'_>, judgement: &mut Judgement) {
    let seen = connection.seen;
    let mut is_explained = false;
    for act in connection.of(Fault::BadMask) {
        let position = act.message.unwrap_or(0);
        let place = connection.mask_place;
        if seen.masked_at.is_some() && seen.masked_at == place {
            is_explained = true;
            judgement.find(act);
        } else if seen.masked_at.is_none() && place.is_none_or(|place| place >= connection.echoed) {
            judgement.miss(act);
        } else {
            judgement.disagree(format!(
                "the server masked message {position}; the client received it {}",
                match seen.masked_at {
                    Some(at) =>
                        format!("without a mask, and a masked frame after byte {at} of the echo"),
                    None => "without a mask".to_owned(),
                }
            ));
            is_explained = true;
        }
    }
    if let Some(at) = seen.masked_at.filter(|_| !is_explained) {
        judgement.disagree(format!(
            "a frame after byte {at} of the echo is masked, and no fault explains it"
        ));
    }
}

fn judge_close_code(connection: &Connection<'_>, judgement: &mut Judgement) {
    let seen = connection.seen;
    let is_damaged = connection.of(Fault::Corrupt).any(|act| connection.has_received(act.offset));
    let mut is_explained = is_damaged || matches!(seen.close_code, None | Some(NORMAL));
    for act in connection.of(Fault::CloseCode) {
        let is_seen = act.code.is_some() && act.code == seen.close_code;
        is_explained |= is_seen;
        match () {
            () if is_seen => judgement.find(act),
            () if seen.close_code.is_none() || is_damaged => judgement.miss(act),
            () => judgement.disagree(format!(
                "the server closed with the code {}; the client received {}",
                act.code.unwrap_or(0),
                seen.close_code.unwrap_or(0)
            )),
        }
    }
    if let Some(code) = seen.close_code.filter(|_| !is_explained) {
        judgement
            .disagree(format!("the server closed with the code {code}, and no fault explains it"));
    }
}

fn judge_proof(connection: &Connection<'_>, judgement: &mut Judgement) {
    let seen = connection.seen;
    let is_wrong = seen.end.failure.as_ref().is_some_and(|it| it.layer == Layer::Proof);
    for act in connection.of(Fault::LoginWrongProof) {
        judgement.check(act, is_wrong || !seen.is_open, || {
            "the server sent a wrong proof in the login, and the client accepted it".to_owned()
        });
    }
}
