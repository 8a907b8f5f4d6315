//! The end of a layer, which a fault may omit.

use common::fault::{Fault, FaultAct};

use crate::{
    config::FaultKind,
    connection::{connection::Connection, layers::Layers, stream::Stream, turn::TurnContext},
    faults::{FaultPlan, InjectedFault},
};

impl<S: Stream> Connection<S> {
    /// Decides whether the peer misses the end of the layer, once.
    pub(super) fn omits_end(&mut self, context: &TurnContext<'_>) -> bool {
        let applies = |plan: &&FaultPlan| {
            let mut rules = plan.rules().filter(|rule| plan.applies(rule, context.now));
            rules.any(|rule| matches!(rule.kind, FaultKind::NoCloseNotify))
        };
        let plan = self.fault_plan().filter(applies).cloned();
        let Layers::Stacked(stack) = &mut self.layers else { return false };
        if let Some(omits_end) = stack.omits_end {
            return omits_end;
        }
        stack.unrecorded_omission = plan.filter(|_| stack.layer.has_end());
        *stack.omits_end.insert(stack.unrecorded_omission.is_some())
    }

    /// Records, once, that the peer misses the end of the layer behind the last byte.
    pub(in crate::connection) fn record_omitted_end(&mut self, context: &TurnContext<'_>) {
        let Layers::Stacked(stack) = &mut self.layers else { return };
        if let Some(plan) = stack.unrecorded_omission.take() {
            let act = FaultAct::sent(Fault::NoCloseNotify, self.totals.bytes_sent);
            self.record_with_plans(&[InjectedFault { plan, act }], context.telemetry);
        }
    }
}
