//! One connection of a stream, with its faults.

use common::fault::{Direction, Fault, FaultAct};

use super::{expected::Expected, judgement::Judgement};
use crate::load::ipc::observation::{Observation, WireEnd};

/// A connection and its faults.
#[derive(Debug)]
pub(super) struct Connection<'c> {
    pub(super) seen: &'c Observation,
    pub(super) acts: &'c [FaultAct],
    /// Those of faults that others have replaced, which released what was held back.
    pub(super) replaced: &'c [FaultAct],
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

    /// Returns whether the client has received everything that the server has sent, up to a regular end.
    pub(super) fn has_received_all(&self) -> bool {
        let end = &self.seen.end;
        end.wire == Some(WireEnd::Fin)
            && end.is_after_ours
            && !self.acts.iter().any(|act| {
                matches!(act.fault, Fault::CloseAfter | Fault::HalfCloseAfter | Fault::Truncate)
            })
    }

    /// Says that a fault is beyond what the client has received. If nothing is beyond, the record is wrong.
    pub(super) fn miss(&self, act: &FaultAct, judgement: &mut Judgement) {
        if act.direction == Direction::Sent && self.has_received_all() {
            judgement.disagree(format!(
                "the fault log has {} at byte {}; the client received {} bytes, and the end",
                act.fault.name(),
                act.offset,
                self.seen.received
            ));
        } else {
            judgement.miss(act);
        }
    }
}
