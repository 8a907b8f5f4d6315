//! Errors of the client in a pipe.

use crate::{echo, net, stdio};

/// Failure of the client in a pipe.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection failed, or a wait ended.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// An echo was wrong or missing.
    #[error(transparent)]
    Echo(#[from] echo::Error),
    /// Standard input or standard output failed.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),
    /// The input continues after a line that reads as an exit.
    #[error("A line that reads 'exit' ended the session: the input after it was not sent")]
    InputAfterExit,
}
