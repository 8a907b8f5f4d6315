//! Errors of a session in a terminal.

use crate::{echo, net, stdio};

/// Failure of a session in a terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server cannot be reached, or the system refused something.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A reply was wrong or missing, or the server closed the connection.
    #[error(transparent)]
    Echo(#[from] echo::Error),
    /// The terminal cannot be used.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),
}
