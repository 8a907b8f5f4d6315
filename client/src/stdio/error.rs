//! Errors of standard input and standard output.

use std::io;

use common::reason::reason;

/// Failure of standard input or standard output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Standard input, or the keyboard, cannot be read.
    #[error("Could not read the input: {}", reason(.0))]
    Input(io::Error),

    /// Standard output cannot be written.
    #[error("Could not write the output: {}", reason(.0))]
    Output(io::Error),

    /// The reader of standard output has closed it, as in `echo-client < file | head -1`. This is the end
    /// of the work, not a failure.
    #[error("The reader of the output has closed it")]
    OutputClosed,
}

impl Error {
    /// Returns the error for a failed write to standard output.
    pub(crate) fn from_write(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Output(error),
        }
    }
}
