//! End of an exchange on a connection whose server sends a receipt.

use common::receipt::Comparison;

use super::error::{Error, ReceiptError};
use crate::net::stream::Stream;

/// The bytes that an exchange has checked, if it knows all bytes that may precede the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Number of bytes.
    pub(crate) bytes: u64,
    /// They end with a newline, or there are none. Otherwise the server ends the line before its receipt.
    pub(crate) ends_line: bool,
}

/// Ends the connection, receives the receipt, and compares both ends. `outcome` is that of the exchange.
///
/// Returns `None` if the connection has no receipt.
///
/// # Errors
///
/// The exchange failed, or bytes of either direction did not arrive unchanged, or there is no receipt.
pub(crate) fn settle(
    stream: &Stream<'_>,
    outcome: Result<Option<Checked>, Error>,
) -> Result<Option<Comparison>, Error> {
    if !stream.expects_receipt() {
        return outcome.map(|_| None);
    }
    if let Err(error) = &outcome
        && error.is_interrupted()
    {
        return outcome.map(|_| None);
    }
    stream.half_close();
    let answer = stream.conclude(stream.deadline())?;
    let (checked, finding) = match outcome {
        Ok(checked) => (checked, None),
        Err(error) => (None, Some(Box::new(error))),
    };
    let (answer, finding) = match (answer, finding) {
        (Ok(answer), finding) => (answer, finding),
        (Err(why), None) => return Err(ReceiptError::None(why).into()),
        (Err(why), Some(finding)) => return Err(ReceiptError::NoneAfter(finding, why).into()),
    };
    let comparison = answer.comparison;
    if !comparison.is_intact() {
        return Err(match finding {
            None => ReceiptError::Different(comparison),
            Some(finding) => ReceiptError::DifferentAfter(finding, comparison),
        }
        .into());
    }
    let received = answer.received.bytes;
    match finding.map(|finding| *finding) {
        None => {
            let extra = checked.map_or(0, |checked| checked.extra(received));
            let unexpected = ReceiptError::Extra { extra, comparison }.into();
            if extra > 0 { Err(unexpected) } else { Ok(Some(comparison)) }
        }
        // The server ended by itself, and what was unexpected is its receipt.
        Some(Error::Unexpected(_)) if received <= answer.sent.bytes => {
            Err(ReceiptError::IntactAfter(Box::new(Error::Closed), comparison).into())
        }
        Some(finding) => Err(ReceiptError::IntactAfter(Box::new(finding), comparison).into()),
    }
}

impl Checked {
    /// Returns how many of the `received` bytes before a receipt are neither checked nor the newline before it.
    fn extra(self, received: u64) -> u64 {
        received.saturating_sub(self.bytes + u64::from(!self.ends_line))
    }
}
