//! The messages of a WebSocket, of which the last may be a receipt.

use common::receipt::{MAX_RECEIPT, NoReceipt, Receipt, Tally, Total};

/// The messages that have arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageTally {
    /// The messages before the last one, and what has arrived of the last one if it is too long for a receipt.
    before: Tally,
    /// The last message, unless it is too long for a receipt.
    last: Vec<u8>,
    is_long: bool,
    is_text: bool,
    is_complete: bool,
}

impl MessageTally {
    /// Adds a part of a message.
    pub(super) fn add(&mut self, part: &[u8], is_text: bool, is_end: bool) {
        if std::mem::take(&mut self.is_complete) {
            self.before.update(&self.last);
            self.last.clear();
            self.is_long = false;
        }
        self.last.extend_from_slice(part);
        if self.is_long || self.last.len() > MAX_RECEIPT {
            self.is_long = true;
            self.before.update(&self.last);
            self.last.clear();
        }
        (self.is_text, self.is_complete) = (is_text, is_end);
    }

    /// Returns the last message as a receipt, if it is one by its form.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        let may_be = self.is_text && self.is_complete && !self.is_long;
        if may_be { Receipt::parse(&self.last).ok() } else { None }
    }

    /// Ends the messages of a client that has sent `sent`. Returns the total of those before the receipt, and the receipt.
    ///
    /// # Errors
    ///
    /// The last message is not a receipt, or all messages are the echo of what was sent.
    pub(super) fn finish(self, sent: &Total) -> Result<(Total, Receipt), NoReceipt> {
        let mut all = self.before.clone();
        all.update(&self.last);
        if all.total().sha256 == sent.sha256 {
            return Err(NoReceipt::Missing);
        }
        match self.receipt() {
            Some(receipt) => Ok((self.before.total(), receipt)),
            None if self.is_text => Err(NoReceipt::of(&self.last)),
            None => Err(NoReceipt::Missing),
        }
    }
}
