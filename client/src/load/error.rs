//! Why a load did not take place, or its figures could not be kept: in the user's words.

use std::{io, path::PathBuf};

use crate::load::preflight::Shortage;
use common::reason::reason;

/// See the [module](self).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Network
    #[error(transparent)]
    Net(#[from] crate::net::Error),
    /// Output
    #[error(transparent)]
    Stdio(#[from] crate::stdio::Error),
    /// Program
    #[error("Could not find its own program: {}", reason(.0))]
    Program(io::Error),

    /// What was asked for is more than the machine has room for.
    #[error(transparent)]
    Shortage(#[from] Shortage),

    /// A process could not be started.
    #[error(
        "Could not start process {number} of {all}: {}; use fewer --processes, or raise the limit on them (ulimit -u)",
        reason(.error)
    )]
    Spawn {
        /// Which it was; the first is 1.
        number: u64,
        /// How many were to be started.
        all: u64,
        /// What the system said.
        error: io::Error,
    },

    /// A process could not make its connections.
    #[error("Could not connect: {text}")]
    Connect {
        /// The system's number for it.
        errno: Option<i32>,
        /// In words.
        text: String,
    },

    /// There was no port for a connection.
    #[error(
        "No port of this machine is left for a connection to the server: use fewer --connections, or wait a minute, for which connections that have ended keep theirs"
    )]
    NoPort,

    /// There was no descriptor for a connection.
    #[error(
        "No file descriptor is left for a connection: the whole machine's are in use (sysctl fs.file-max), or use fewer --connections"
    )]
    NoDescriptor,

    /// A process failed before it was ready.
    #[error("The load could not begin: {0}")]
    NotReady(String),

    /// Ctrl+C before the start, or a second time.
    #[error("Interrupted")]
    Interrupted,

    /// The processes could not be waited for.
    #[error("Could not wait for the processes: {}", reason(.0))]
    Poll(io::Error),

    /// A file for results.
    #[error("Could not write {}: {}", .path.display(), reason(.error))]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },

    /// A file with results.
    #[error("Could not read {}: {reason}", .path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// What is the matter with it, in words.
        reason: String,
    },
}
