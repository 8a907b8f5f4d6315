//! A close that the server injects on purpose.

use std::time::Instant;

use common::fault::{Fault, FaultAct};

use crate::{
    config::FaultKind,
    faults::{FaultPlan, InjectedFault},
};

/// The faults of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct CloseFault {
    /// `None`: they are gone.
    pub(super) plan: Option<FaultPlan>,
    /// The close, until it is recorded.
    pub(super) injected: Option<InjectedFault>,
}

impl CloseFault {
    /// Returns the code of the close, if it is due behind so many bytes and messages of the echo.
    pub(super) fn take_code(&mut self, offset: u64, messages: u64, now: Instant) -> Option<u16> {
        let plan = self.plan.as_ref()?;
        let mut rules = plan.rules().filter(|rule| plan.applies(rule, now));
        let code = rules.find_map(|rule| match rule.kind {
            FaultKind::CloseCode { code, after } if messages >= after => Some(code),
            _ => None,
        })?;
        let act = FaultAct::sent(Fault::CloseCode, offset);
        let act = FaultAct { message: Some(messages), code: Some(code), ..act };
        self.injected = Some(InjectedFault { plan: plan.clone(), act });
        Some(code)
    }
}
