//! Errors of a load, with the text that the user reads.

use std::io;

use common::reason::reason;

use super::{coordinator, faults, preflight::shortage::Shortage, report::files, saved_report};
use crate::{net, stdio};

/// Reason why a load did not run, or why its report could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server cannot be reached, or a wait ended.
    #[error(transparent)]
    Net(#[from] net::Error),

    /// Standard output failed.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),

    /// The host has too little capacity.
    #[error(transparent)]
    Shortage(#[from] Shortage),

    /// The worker processes could not be started or supervised.
    #[error(transparent)]
    Coordinator(#[from] coordinator::Error),

    /// No local port is left for a connection.
    #[error(
        "No local port is left for a connection to the server: use fewer --connections, or wait a minute until the ports of closed connections are free"
    )]
    NoPort,

    /// No file descriptor is left for a connection.
    #[error(
        "No file descriptor is left for a connection, because those of the whole machine are in use: raise the limit (sysctl fs.file-max), or use fewer --connections"
    )]
    NoDescriptor,

    /// The file of this program is not accessible.
    #[error(
        "Could not find the program of the worker processes at /proc/self/exe: {}; mount /proc",
        reason(.0)
    )]
    Program(io::Error),

    /// The fault log cannot be used.
    #[error(transparent)]
    FaultLog(#[from] faults::log::Error),

    /// A report could not be written.
    #[error(transparent)]
    ReportFile(#[from] files::Error),

    /// A report could not be read.
    #[error(transparent)]
    SavedReport(#[from] saved_report::Error),
}

impl Error {
    /// Returns `true` if Ctrl+C ended the load before it had a report.
    pub(super) fn is_interrupted(&self) -> bool {
        matches!(
            self,
            Self::Net(net::Error::Interrupted) | Self::Coordinator(coordinator::Error::Interrupted)
        )
    }
}
