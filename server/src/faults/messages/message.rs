//! One message of an echo, on its way through its faults.

use std::time::{Duration, Instant};

use common::fault::{Fault, FaultAct};

use super::{boundaries::Part, mask::Mask, outcome::Outcome};
use crate::{
    config::limits::POSTPONED_MESSAGE,
    faults::{injected::InjectedFault, plan::FaultPlan},
};

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// The plan under which it began, which decides its faults. `None`: there was none.
    pub(super) plan: Option<FaultPlan>,
    /// Number of messages before it.
    pub(super) number: u64,
    /// Number of bytes of the echo before it.
    pub(super) offset: u64,
    /// Number of its bytes, without a mask.
    pub(super) len: u64,
    /// Its bytes, if it is held or sent twice.
    pub(super) bytes: Vec<u8>,
    pub(super) is_duplicate: bool,
    /// The time at which it is sent alone.
    pub(super) deadline: Option<Instant>,
    /// The time from which it waits for the next message.
    pub(super) held_since: Option<Instant>,
    /// The time for which it has waited in vain.
    pub(super) delay: Duration,
}

/// A message of which more may arrive.
#[derive(Debug)]
pub(super) struct PartialMessage {
    pub(super) message: Message,
    pub(super) fate: Fate,
    pub(super) mask: Option<Mask>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is sent as it arrives.
    Passing,
    Dropped,
    /// It is held until it is complete.
    Held,
}

impl PartialMessage {
    /// Sends bytes of a message, or keeps them.
    pub(super) fn append(&mut self, part: Part, bytes: &[u8], outcome: &mut Outcome) {
        let Self { message, fate, mask } = self;
        let mut masked = Vec::new();
        let bytes = match mask {
            Some(mask) => {
                mask.append(part, bytes, &mut masked);
                &masked[..]
            }
            None => bytes,
        };
        if *fate == Fate::Passing {
            outcome.bytes.extend_from_slice(bytes);
        }
        if *fate == Fate::Held || message.is_duplicate {
            message.bytes.extend_from_slice(bytes);
        }
        if message.bytes.len() > POSTPONED_MESSAGE && *fate == Fate::Passing {
            message.is_duplicate = false;
            message.bytes = Vec::new();
        }
    }
}

impl Message {
    /// Returns this fault of the message for its record.
    pub(super) fn injected(&self, fault: Fault) -> Option<InjectedFault> {
        let act = FaultAct::sent(fault, self.offset);
        let act = FaultAct { bytes: Some(self.len), message: Some(self.number), ..act };
        self.plan.clone().map(|plan| InjectedFault { plan, act })
    }

    /// Ends the wait for the next message, which has not followed.
    pub(super) fn end_wait(&mut self, now: Instant) {
        if let Some(since) = self.held_since.take() {
            self.delay = now.saturating_duration_since(since);
        }
    }

    /// Returns the fault of a message that has waited in vain: it keeps its place, and is late.
    pub(super) fn delayed(&self) -> Option<InjectedFault> {
        let InjectedFault { plan, act } = self.injected(Fault::Reorder)?;
        (!self.delay.is_zero()).then(|| InjectedFault { plan, act: act.with_delay(self.delay) })
    }

    /// Sends a complete message.
    pub(super) fn send(&self, outcome: &mut Outcome) {
        outcome.bytes.extend_from_slice(&self.bytes);
        if self.is_duplicate {
            outcome.bytes.extend_from_slice(&self.bytes);
            outcome.injected.extend(self.injected(Fault::Duplicate));
        }
    }
}
