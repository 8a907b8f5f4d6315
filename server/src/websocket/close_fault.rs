//! A close that the server injects on purpose.

use std::time::Instant;

use common::fault::{Fault, FaultAct};

use crate::{config::FaultKind, faults::FaultPlan};

/// The faults of a WebSocket, and the place in its echo.
#[derive(Debug)]
pub(super) struct CloseFault {
    pub(super) plan: FaultPlan,
    /// Messages that were echoed.
    pub(super) messages: u64,
    /// Bytes that were echoed before the present step.
    pub(super) echoed: u64,
    /// The close, until it is recorded.
    pub(super) act: Option<FaultAct>,
}

impl CloseFault {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self { plan, messages: 0, echoed: 0, act: None }
    }

    /// Returns the code of the close, if it is due behind `echo` bytes of the present step.
    pub(super) fn take_code(&mut self, echo: usize, now: Instant) -> Option<u16> {
        let (plan, messages) = (&self.plan, self.messages);
        let mut rules = plan.rules().filter(|rule| plan.applies(rule, now));
        let code = rules.find_map(|rule| match rule.kind {
            FaultKind::CloseCode { code, after } if messages >= after => Some(code),
            _ => None,
        })?;
        let act = FaultAct::sent(Fault::CloseCode, self.echoed + echo as u64);
        self.act = Some(FaultAct { message: Some(messages), code: Some(code), ..act });
        Some(code)
    }
}
