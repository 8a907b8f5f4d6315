//! The faults of one connection.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use common::fault::{Fault, FaultId};

use super::{injector::Injector, random::Random};
use crate::config::{FaultKind, FaultRule};

/// The index of the draw that decides whether a connection has a fault. Others count bytes, segments or messages.
const SHARE: u64 = u64::MAX;

/// The faults of one connection, or of one source of datagrams.
#[derive(Clone, Debug)]
pub(crate) struct FaultPlan {
    injector: Arc<Injector>,
    connection: u64,
    /// The faults that were injected at least once, a bit each at its index.
    injected: Cell<u32>,
}

const _: () = assert!(Fault::ALL.len() <= 32);

impl Injector {
    /// Returns the plan of the next connection. The acceptor asks in the order of the accepts.
    pub(crate) fn next_plan(self: &Arc<Self>) -> FaultPlan {
        FaultPlan::new(Arc::clone(self), self.next_number())
    }
}

impl FaultPlan {
    fn new(injector: Arc<Injector>, connection: u64) -> Self {
        Self { injector, connection, injected: Cell::default() }
    }

    /// Returns the seed and the number of the connection.
    pub(crate) fn id(&self) -> FaultId {
        FaultId { seed: self.injector.seed(), connection: self.connection }
    }

    /// Marks a fault as injected. Returns whether it is the first time.
    pub(crate) fn mark(&self, fault: Fault) -> bool {
        let (bit, before) = (1 << fault.index(), self.injected.get());
        self.injected.set(before | bit);
        before & bit == 0
    }

    pub(crate) fn injector(&self) -> &Arc<Injector> {
        &self.injector
    }

    /// Returns the rules that the connection has, whether or not they apply now.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &FaultRule> {
        self.injector.faults().rules.iter().filter(|rule| {
            // A jitter and its delay are one fault with two rules, and have draws of their own.
            let index = SHARE - u64::from(matches!(rule.kind, FaultKind::Jitter { .. }));
            self.random(rule.kind.fault()).happens(index, rule.share)
        })
    }

    /// Returns the random function for a fault.
    pub(crate) fn random(&self, fault: Fault) -> Random {
        self.injector.random(self.connection, fault)
    }

    /// Returns whether a fault of single messages, or of single datagrams, happens to the one with this number.
    pub(super) fn happens_to(&self, fault: Fault, message: u64, now: Instant) -> bool {
        self.rules().any(|rule| {
            let (FaultKind::Drop(share) | FaultKind::Duplicate(share) | FaultKind::Reorder(share)) =
                rule.kind
            else {
                return false;
            };
            rule.kind.fault() == fault
                && self.applies(rule, now)
                && self.random(fault).happens(message, share)
        })
    }

    /// Returns whether a rule applies at this time.
    pub(crate) fn applies(&self, rule: &FaultRule, now: Instant) -> bool {
        let elapsed: Duration = now.saturating_duration_since(self.injector.since());
        rule.window.as_ref().is_none_or(|window| window.contains(&elapsed))
    }
}

#[cfg(test)]
impl FaultPlan {
    /// Returns the plan of the connection with this number.
    pub(crate) fn fixture(seed: u64, connection: u64, kinds: &[FaultKind]) -> Self {
        let rules = kinds.iter().cloned().map(FaultRule::always).collect();
        let faults = Arc::new(crate::config::Faults { seed: Some(seed), rules });
        Self::new(Arc::new(Injector::new(faults, Instant::now())), connection)
    }
}
