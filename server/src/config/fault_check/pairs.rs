//! Two faults that contradict each other.

use crate::config::faults::{FaultKind, FaultRule, Share};

/// Returns why two faults cannot be used together, in either order.
pub(super) fn contradiction(one: &FaultRule, other: &FaultRule) -> Option<&'static str> {
    if one.kind.name() == other.kind.name() {
        return Some("a listener has at most one fault of a kind");
    }
    one_way(one, other).or_else(|| one_way(other, one))
}

fn one_way(one: &FaultRule, other: &FaultRule) -> Option<&'static str> {
    let (is_one_certain, is_other_certain) = (is_certain(one), is_certain(other));
    match (&one.kind, &other.kind) {
        (FaultKind::Refuse, _) if is_one_certain => {
            Some("every connection is reset when it is accepted")
        }
        (FaultKind::Drip { .. }, FaultKind::Throttle(_)) if may_meet(one, other) => {
            Some("both set the rate at which bytes are sent")
        }
        (FaultKind::Split { .. }, FaultKind::Coalesce(_)) if may_meet(one, other) => {
            Some("one makes segments smaller, and the other makes them larger")
        }
        (FaultKind::Drop(Share::ALL), FaultKind::Duplicate(_) | FaultKind::Reorder(_))
            if is_one_certain =>
        {
            Some("no message is left")
        }
        (FaultKind::CloseCode { after, .. }, FaultKind::BadMask(masked))
            if is_one_certain && masked >= after =>
        {
            Some("the WebSocket is closed before the frame is masked")
        }
        (kind, FaultKind::NoCloseNotify) if is_one_certain && end(kind) == Some(0) => {
            Some("the other fault ends what every connection sends, and TLS never ends")
        }
        (kind, other) => match (end(kind).filter(|_| is_one_certain)?, other) {
            (_, other) if end(other).is_some() && is_other_certain => Some(
                "a connection sends nothing after the first of both, so the other one never acts",
            ),
            (end, FaultKind::StallAfter { bytes, .. }) if *bytes > end => {
                Some("what a connection sends ends before the stall")
            }
            _ => None,
        },
    }
}

/// Returns the number of bytes after which a fault ends the sent direction of a connection.
fn end(kind: &FaultKind) -> Option<u64> {
    match kind {
        FaultKind::ResetAfter(bytes)
        | FaultKind::CloseAfter(bytes)
        | FaultKind::HalfCloseAfter(bytes)
        | FaultKind::Truncate(bytes) => Some(*bytes),
        _ => None,
    }
}

/// Returns whether all connections have a fault at all times.
fn is_certain(rule: &FaultRule) -> bool {
    rule.share == Share::ALL && rule.window.is_none()
}

/// Returns whether a connection can have both faults at the same time.
fn may_meet(one: &FaultRule, other: &FaultRule) -> bool {
    let is_apart = one
        .window
        .as_ref()
        .zip(other.window.as_ref())
        .is_some_and(|(one, other)| one.end <= other.start || other.end <= one.start);
    one.share != Share::NONE && other.share != Share::NONE && !is_apart
}
