//! The seed and the number of a connection with faults, for its reports; and the record of each fault.

use common::fault::{FaultAct, FaultId};

use crate::{
    connection::{connection::Connection, stream::Stream},
    faults::FaultPlan,
    session::ProtocolHandler,
    telemetry::Recorder,
};

impl<S: Stream> Connection<S> {
    /// Returns the faults that the connection has now.
    pub(crate) fn fault_plan(&self) -> Option<&FaultPlan> {
        self.layers.wire()?.plan()
    }

    /// Returns the seed and the number of the connection, if it has faults.
    pub(in crate::connection) fn fault_id(&self) -> Option<FaultId> {
        self.fault_plan().map(FaultPlan::id)
    }

    /// Tells the session the faults of the connection. To be called when a session begins, and when the faults change.
    pub(in crate::connection) fn tell_faults(&mut self) {
        let faults = self.fault_plan().cloned();
        if let Some(handler) = self.session.handler() {
            handler.set_faults(faults.as_ref());
        }
    }

    /// Records a fault that the session has injected.
    pub(in crate::connection) fn record_fault_of_session(&mut self, telemetry: &Recorder<'_>) {
        if let Some(act) = self.session.handler().and_then(ProtocolHandler::take_fault_act) {
            self.record_faults(&[act], telemetry);
        }
    }

    /// Records the faults that were injected in a turn that an error has ended.
    pub(in crate::connection) fn record_last_faults(&mut self, telemetry: &Recorder<'_>) {
        let Some(wire) = self.layers.wire_mut() else { return };
        let acts = wire.take_acts();
        self.record_faults(&acts, telemetry);
        self.record_fault_of_session(telemetry);
    }

    /// Records faults that were injected.
    pub(in crate::connection) fn record_faults(
        &mut self,
        acts: &[FaultAct],
        telemetry: &Recorder<'_>,
    ) {
        // A client of a layer is connected after its handshake.
        if !acts.is_empty() && !self.stage.is_preamble() {
            self.log_connected(telemetry);
        }
        for act in acts {
            self.record_fault(act, telemetry);
        }
    }

    /// Records a fault that was injected.
    fn record_fault(&self, act: &FaultAct, telemetry: &Recorder<'_>) {
        if let Some(plan) = self.fault_plan() {
            telemetry.fault(self.subject(), &self.permit.policy().counters.address, plan, act);
        }
    }
}
