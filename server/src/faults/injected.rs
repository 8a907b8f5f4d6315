//! A fault that was injected, for its record.

use common::fault::FaultAct;

use super::plan::FaultPlan;

/// A fault that was injected, with the plan that decided it. Its record may follow after the connection has other faults.
#[derive(Clone, Debug)]
pub(crate) struct InjectedFault {
    pub(crate) plan: FaultPlan,
    pub(crate) act: FaultAct,
}

#[cfg(test)]
impl PartialEq for InjectedFault {
    fn eq(&self, other: &Self) -> bool {
        (self.plan.id(), self.act) == (other.plan.id(), other.act)
    }
}
