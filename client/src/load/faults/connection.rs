//! One connection of a stream, with its faults.

use common::fault::{Fault, FaultAct};

use super::expected::Expected;
use crate::load::ipc::observation::Observation;

/// A connection and its faults.
#[derive(Debug)]
pub(super) struct Connection<'c> {
    pub(super) seen: &'c Observation,
    pub(super) acts: &'c [FaultAct],
    /// Number of echoed bytes that were received.
    pub(super) echoed: u64,
    pub(super) expected: Expected,
    /// Number of bytes of `expected` that arrive if nothing ends the connection.
    pub(super) complete: u64,
    /// Number of echoed bytes before the message that the server masked, if it must arrive.
    pub(super) mask_place: Option<u64>,
}

impl Connection<'_> {
    /// Returns the faults of one kind.
    pub(super) fn of(&self, fault: Fault) -> impl Iterator<Item = &FaultAct> {
        self.acts.iter().filter(move |act| act.fault == fault)
    }

    /// Returns whether anything arrived that the faults at this offset on the socket could concern.
    pub(super) fn has_received(&self, offset: u64) -> bool {
        offset < self.seen.received
    }
}
