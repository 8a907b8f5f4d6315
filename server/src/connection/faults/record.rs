//! The seed and the number of a connection with faults, for its reports; and the record of each fault.

use common::fault::{FaultAct, FaultId};

use crate::{
    connection::{connection::Connection, stream::Stream},
    faults::{FaultPlan, InjectedFault},
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

    /// Gives the session the faults of the connection. To be called when a session begins, and when the faults change.
    pub(in crate::connection) fn set_session_faults(&mut self) {
        let faults = self.fault_plan().cloned();
        if let Some(handler) = self.session.handler() {
            handler.set_faults(faults.as_ref());
        }
    }

    /// Records a fault that the session has injected.
    pub(in crate::connection) fn record_fault_of_session(&mut self, telemetry: &Recorder<'_>) {
        let injected = self.session.handler().and_then(ProtocolHandler::take_injected_fault);
        self.record_with_plans(injected.as_slice(), telemetry);
    }

    /// Records the faults that were injected in a turn that an error has ended.
    pub(in crate::connection) fn record_last_faults(&mut self, telemetry: &Recorder<'_>) {
        if self.layers.wire().is_some() {
            self.record_injected(telemetry);
            self.record_last_message(telemetry);
        }
    }

    /// Records faults that the present plan has injected.
    pub(in crate::connection) fn record_faults(
        &mut self,
        acts: &[FaultAct],
        telemetry: &Recorder<'_>,
    ) {
        self.log_faulty(acts.is_empty(), telemetry);
        let Some(plan) = self.fault_plan() else { return };
        for act in acts {
            self.record_fault(plan, act, telemetry);
        }
    }

    /// Records faults with the plans that have injected them, which may be former ones.
    pub(in crate::connection) fn record_with_plans(
        &mut self,
        injected: &[InjectedFault],
        telemetry: &Recorder<'_>,
    ) {
        self.log_faulty(injected.is_empty(), telemetry);
        for InjectedFault { plan, act } in injected {
            self.record_fault(plan, act, telemetry);
        }
    }

    /// Logs the connection before its first fault. A client of a layer is connected after its handshake.
    fn log_faulty(&mut self, has_none: bool, telemetry: &Recorder<'_>) {
        if !has_none && !self.stage.is_preamble() {
            self.log_connected(telemetry);
        }
    }

    fn record_fault(&self, plan: &FaultPlan, act: &FaultAct, telemetry: &Recorder<'_>) {
        telemetry.fault(self.subject(), &self.permit.policy().counters.address, plan, act);
    }
}
