//! Why a running server fails.

use std::io;

use common::reason::reason;
use thiserror::Error;

#[cfg(feature = "cli")]
use crate::fault_log::FaultLogError;
#[cfg(feature = "history")]
use crate::history::HistoryError;

/// Reason for the failure of a running server.
#[derive(Debug, Error)]
pub enum RunError {
    /// A thread of the server failed, so the server stopped. The log has the cause.
    #[error("the server stopped because one of its threads failed; see the log for the cause")]
    ThreadFailed,
    /// The system refuses that many threads.
    #[error("cannot start the workers: {}; choose fewer workers", reason(.0))]
    Threads(io::Error),
    /// The history cannot be recorded.
    #[cfg(feature = "history")]
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The injected faults cannot be recorded.
    #[cfg(feature = "cli")]
    #[error(transparent)]
    FaultLog(#[from] FaultLogError),
}
