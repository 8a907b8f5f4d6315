//! Reasons for which a worker process failed.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use signal_hook::low_level::signal_name;

/// Reason for which a process did not finish its work; its text continues a sentence that starts with the
/// process.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExitReason {
    /// The process exited, or was killed, in this way.
    #[error("{0} before it had finished")]
    Exited(String),
    /// It sent something that is not a message.
    #[error("sent an invalid message, and was killed")]
    InvalidMessage,
    /// It sent nothing for too long.
    #[error("sent nothing for too long, and was killed")]
    Silent,
    /// It did not finish in time.
    #[error("did not finish in time, and was killed")]
    TimedOut,
    /// It reported a failure.
    #[error("failed: {0}")]
    Failed(String),
}

impl ExitReason {
    /// Returns the reason for a process that has exited, if its status is known.
    pub(super) fn from_status(status: Option<ExitStatus>) -> Self {
        Self::Exited(status.map_or_else(|| "exited".to_owned(), describe))
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("was killed by {name}"),
            None => format!("was killed by signal {signal}"),
        },
        (None, None) => "exited".to_owned(),
    }
}
