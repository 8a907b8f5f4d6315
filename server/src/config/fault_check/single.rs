//! Limits on the figures of one fault.

use std::time::Duration;

use crate::config::{
    faults::{FaultKind, FaultRule, TOO_LARGE},
    limits,
};

/// Checks a fault by itself.
///
/// # Errors
///
/// Why it cannot be injected.
pub(super) fn check(rule: &FaultRule) -> Result<(), String> {
    const _: () = assert!(limits::FAULT_TIME.as_secs() == 3600, "the limit is in the text");
    const _: () =
        assert!(limits::FAULT_WINDOW.as_secs() == 365 * 86_400, "the limit is in the text");
    if time(&rule.kind).is_some_and(|time| time > limits::FAULT_TIME) {
        return Err("the longest time of a fault is 1h".to_owned());
    }
    if size(&rule.kind).is_some_and(|size| size > limits::FAULT_SIZE) {
        return Err(TOO_LARGE.to_owned());
    }
    match &rule.kind {
        FaultKind::Drip { every, .. } if every.is_zero() => {
            return Err("the time between two drips is zero".to_owned());
        }
        FaultKind::Split { min, max } if min > max => {
            return Err("the shortest segment is longer than the longest".to_owned());
        }
        _ => {}
    }
    match &rule.window {
        Some(window) if window.is_empty() => Err("its time ends before it begins".to_owned()),
        Some(window) if window.end > limits::FAULT_WINDOW => {
            Err("its time ends at most 365d after the listener got its faults".to_owned())
        }
        _ => Ok(()),
    }
}

/// Returns the time that a fault takes.
fn time(kind: &FaultKind) -> Option<Duration> {
    match kind {
        FaultKind::Delay(time)
        | FaultKind::Jitter { spread: time, .. }
        | FaultKind::Drip { every: time, .. }
        | FaultKind::StallAfter { time, .. }
        | FaultKind::AcceptDelay(time)
        | FaultKind::Coalesce(time)
        | FaultKind::HandshakeStall(time) => Some(*time),
        _ => None,
    }
}

/// Returns the largest number of bytes of a fault.
fn size(kind: &FaultKind) -> Option<u64> {
    match kind {
        FaultKind::StallAfter { bytes, .. }
        | FaultKind::ResetAfter(bytes)
        | FaultKind::CloseAfter(bytes)
        | FaultKind::HalfCloseAfter(bytes)
        | FaultKind::Truncate(bytes) => Some(*bytes),
        FaultKind::Throttle(bytes)
        | FaultKind::Drip { bytes, .. }
        | FaultKind::Corrupt(bytes)
        | FaultKind::Split { max: bytes, .. } => Some(bytes.get()),
        _ => None,
    }
}
