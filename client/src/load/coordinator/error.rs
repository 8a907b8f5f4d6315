//! Errors of the coordinator, with the text that the user reads.

use std::io;

use common::reason::reason;

use crate::load::stats::error_kind::ErrorKind;

/// Failure to start or supervise the worker processes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A process could not be started.
    #[error(
        "Could not start process {number} of {total}: {}; use fewer --processes, or raise their limit (ulimit -u)",
        reason(.error)
    )]
    Spawn {
        /// Number of the process, from 1.
        number: u64,
        /// Number of all processes.
        total: u64,
        /// Error of the system.
        error: io::Error,
    },

    /// A process could not make its connections.
    #[error("Could not connect: {text}")]
    Connect {
        /// Kind of the failure.
        kind: ErrorKind,
        /// Error number of the system, if there is one.
        errno: Option<i32>,
        /// Description of the failure.
        text: String,
    },

    /// A process failed before the start.
    #[error("The load could not start: {0}")]
    NotReady(String),

    /// Ctrl+C before the start, or for the second time.
    #[error("Interrupted")]
    Interrupted,

    /// The processes could not be polled.
    #[error("Could not wait for the worker processes: {}", reason(.0))]
    Poll(io::Error),
}
