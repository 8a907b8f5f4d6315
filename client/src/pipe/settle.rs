//! End of a connection whose server sends a receipt, after the errors of a pipe.

use common::receipt::Comparison;

use super::error::Error;
use crate::{
    echo::settle::{Checked, settle},
    net::stream::Stream,
};

/// Compares both ends of a connection with a receipt; `None`: it has none. A failure of standard input or output needs no
/// comparison.
///
/// # Errors
///
/// The exchange failed, or the receipt is missing or shows a difference.
pub(super) fn settle_pipe(
    stream: &Stream<'_>,
    outcome: Result<Option<Checked>, Error>,
) -> Result<Option<Comparison>, Error> {
    let outcome = match outcome {
        Ok(checked) => Ok(checked),
        Err(Error::Echo(error)) => Err(error),
        Err(Error::Net(error)) => Err(error.into()),
        Err(error) => return Err(error),
    };
    Ok(settle(stream, outcome)?)
}
