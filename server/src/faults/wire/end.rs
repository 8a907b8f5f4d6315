//! The end of a connection after a number of bytes.

use common::fault::Fault;

use crate::config::{FaultKind, FaultRule};

/// What happens to a connection whose last byte was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireEnd {
    /// It is reset.
    Reset,
    /// It is closed in good order.
    Close,
    /// Its sending direction ends.
    HalfClose,
    /// Nothing: what follows is discarded.
    Discard,
}

/// An end that is to come.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// Number of bytes that are sent before.
    pub(super) at: u64,
    pub(super) end: WireEnd,
    pub(super) fault: Fault,
    pub(super) rule: FaultRule,
}

impl Limit {
    /// Returns the end that a rule brings.
    pub(super) fn of(rule: &FaultRule) -> Option<Self> {
        let (at, end) = match rule.kind {
            FaultKind::ResetAfter(bytes) => (bytes, WireEnd::Reset),
            FaultKind::CloseAfter(bytes) => (bytes, WireEnd::Close),
            FaultKind::HalfCloseAfter(bytes) => (bytes, WireEnd::HalfClose),
            FaultKind::Truncate(bytes) => (bytes, WireEnd::Discard),
            FaultKind::Refuse => (0, WireEnd::Reset),
            _ => return None,
        };
        Some(Self { at, end, fault: rule.kind.fault(), rule: rule.clone() })
    }
}
