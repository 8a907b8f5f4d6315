//! What becomes of bytes of an echo.

use crate::faults::injected::InjectedFault;

/// What to send, and what was done for it.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Outcome {
    pub(crate) bytes: Vec<u8>,
    pub(crate) injected: Vec<InjectedFault>,
}
