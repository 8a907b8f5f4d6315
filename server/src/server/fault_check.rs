//! The check of configured faults, before anything is bound.

use crate::{config::Listener, listener::BindError};

/// Checks that a listener can have its faults.
///
/// # Errors
///
/// If it cannot.
pub(super) fn check_faults(listener: &Listener) -> Result<(), BindError> {
    let Some(faults) = &listener.options.faults else { return Ok(()) };
    let endpoint = listener.endpoint.clone();
    faults.check(listener).map_err(|reason| BindError::Faults { endpoint, reason })
}
