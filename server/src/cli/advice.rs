//! Errors of the server with advice that names flags, which the server does not know.

use server::{BindError, ReloadError};

/// Describes why the server cannot listen, with advice.
pub(crate) fn bind_error(error: &BindError) -> String {
    match error {
        BindError::AdminInUse(_) => format!(
            "{error}: stop it, or give each server an --admin of its own, with another port or a Unix socket \
             (--reuse-port does not apply to it)"
        ),
        error if error.is_port_shareable() => {
            format!("{error}: stop it, choose another port, or start both with --reuse-port")
        }
        error => error.to_string(),
    }
}

/// Describes why a reload has changed nothing, with advice.
pub(crate) fn reload_error(error: &ReloadError) -> String {
    match error {
        ReloadError::Bind(cause) => format!("{}; nothing has changed", bind_error(cause)),
        ReloadError::ShuttingDown => error.to_string(),
    }
}
