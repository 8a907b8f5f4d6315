//! Judgement on one connection.

use common::fault::{Fault, FaultAct};

/// What became of the faults of one connection, and what else was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Faults that were found.
    pub(super) found: Vec<Fault>,
    /// Faults that the client could not see.
    pub(super) unobservable: Vec<Fault>,
    /// Sentences about what does not agree; they continue one that begins with the connection.
    pub(super) disagreements: Vec<String>,
    /// By how many nanoseconds the bytes were later than the delays, which they never precede.
    pub(super) excess: Vec<u64>,
}

impl Judgement {
    pub(super) fn find(&mut self, act: &FaultAct) {
        self.found.push(act.fault);
    }

    pub(super) fn miss(&mut self, act: &FaultAct) {
        self.unobservable.push(act.fault);
    }

    /// Finds the fault, or says why the observation contradicts it.
    pub(super) fn check(&mut self, act: &FaultAct, agrees: bool, text: impl FnOnce() -> String) {
        if agrees {
            self.find(act);
        } else {
            self.disagreements.push(text());
        }
    }

    pub(super) fn disagree(&mut self, text: impl Into<String>) {
        self.disagreements.push(text.into());
    }
}
