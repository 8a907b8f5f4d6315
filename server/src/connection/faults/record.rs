//! What decides the faults of a connection, for its reports; and the record of each fault.

use common::fault::{FaultAct, FaultId};

use crate::{
    connection::{connection::Connection, stream::Stream},
    faults::FaultPlan,
    telemetry::Recorder,
};

impl<S: Stream> Connection<S> {
    /// Returns the faults that the connection has now.
    pub(crate) fn fault_plan(&self) -> Option<&FaultPlan> {
        self.layers.wire()?.plan()
    }

    /// Returns what decides its faults, if it has any.
    pub(in crate::connection) fn fault_id(&self) -> Option<FaultId> {
        self.fault_plan().map(FaultPlan::id)
    }

    /// Tells the session what decides the faults of the connection. To be called when a session begins, and when the faults
    /// change.
    pub(in crate::connection) fn tell_faults(&mut self) {
        let faults = self.fault_id();
        if let Some(handler) = self.session.handler() {
            handler.set_faults(faults);
        }
    }

    /// Records a fault that was injected.
    pub(in crate::connection) fn record_fault(&self, act: &FaultAct, telemetry: &Recorder<'_>) {
        if let Some(plan) = self.fault_plan() {
            telemetry.fault(self.subject(), &self.permit.policy().name, plan, act);
        }
    }
}
