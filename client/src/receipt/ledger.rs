//! The bytes that a client has sent and received on one connection.

use common::receipt::{Comparison, NoReceipt, StreamTally, Tally, Total};

use super::messages::MessageTally;

/// The bytes of one connection, in both directions, of which the last may be a receipt.
///
/// Over a WebSocket they are the payload of data messages.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    sent: Tally,
    received: Received,
    /// Nothing more arrives.
    has_ended: bool,
}

#[derive(Clone, Debug)]
enum Received {
    Stream(StreamTally),
    Messages(MessageTally),
}

/// Result of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The bytes of both directions, at both ends.
    pub(crate) comparison: Comparison,
    /// The bytes that arrived before the receipt.
    pub(crate) received: Total,
    /// The bytes that were sent.
    pub(crate) sent: Total,
}

impl Answer {
    /// Returns whether the bytes that arrived are exactly those that were sent.
    pub(crate) fn is_echo(&self) -> bool {
        (self.received.bytes, self.received.sha256) == (self.sent.bytes, self.sent.sha256)
    }
}

impl Ledger {
    /// Creates the ledger of a connection without messages of its own.
    pub(crate) fn of_stream() -> Self {
        Self::new(Received::Stream(StreamTally::default()))
    }

    /// Creates the ledger of a WebSocket.
    pub(crate) fn of_messages() -> Self {
        Self::new(Received::Messages(MessageTally::default()))
    }

    fn new(received: Received) -> Self {
        Self { sent: Tally::default(), received, has_ended: false }
    }

    /// Adds bytes that were sent.
    pub(crate) fn add_sent(&mut self, bytes: &[u8]) {
        self.sent.update(bytes);
    }

    /// Adds bytes that have arrived on a stream.
    pub(crate) fn add_received(&mut self, bytes: &[u8]) {
        self.add_part(bytes, true, false);
    }

    /// Adds a part of a message that has arrived on a WebSocket.
    pub(crate) fn add_part(&mut self, part: &[u8], is_text: bool, is_end: bool) {
        match &mut self.received {
            Received::Stream(stream) => stream.update(part),
            Received::Messages(messages) => messages.add(part, is_text, is_end),
        }
    }

    /// Returns whether the last message that has arrived on a WebSocket may be a receipt: it is one by its form.
    pub(crate) fn may_end_here(&self) -> bool {
        matches!(&self.received, Received::Messages(messages) if messages.receipt().is_some())
    }

    /// Marks the end of what arrives.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Returns whether nothing more arrives.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Compares both ends.
    ///
    /// # Errors
    ///
    /// The last bytes are no receipt.
    pub(crate) fn conclude(self) -> Result<Answer, NoReceipt> {
        let sent = self.sent.total();
        let (received, receipt) = match self.received {
            Received::Stream(stream) => stream.finish(&sent)?,
            Received::Messages(messages) => messages.finish(&sent)?,
        };
        Ok(Answer { comparison: Comparison::new(&sent, &received, &receipt), received, sent })
    }
}

#[cfg(test)]
mod tests {
    use common::receipt::{EndedBy, Receipt};

    use super::*;

    fn receipt(bytes: &[u8]) -> String {
        Receipt::new(Total::of(bytes), Total::of(bytes), EndedBy::Client).to_string()
    }

    fn ledger(messages: &[&str]) -> Ledger {
        let mut ledger = Ledger::of_messages();
        for message in messages {
            let (first, rest) = message.as_bytes().split_at(message.len() / 2);
            ledger.add_part(first, true, false);
            ledger.add_part(rest, true, true);
        }
        ledger
    }

    #[test]
    fn the_last_text_message_is_the_receipt() {
        let mut ledger = ledger(&["one", "two", &receipt(b"onetwo")]);
        ledger.add_sent(b"onetwo");
        let answer = ledger.conclude().unwrap();
        assert!(answer.comparison.is_intact() && answer.is_echo());
    }

    #[test]
    fn a_long_message_is_no_receipt_and_counts() {
        let long = "x".repeat(100_000);
        let mut ledger = ledger(&[&long, &receipt(long.as_bytes())]);
        ledger.add_sent(long.as_bytes());
        assert!(ledger.conclude().unwrap().is_echo());
        assert_eq!(self::ledger(&[&long]).conclude(), Err(NoReceipt::Missing));
    }

    #[test]
    fn a_receipt_in_another_place_of_another_type_or_cut_off_is_none() {
        assert_eq!(ledger(&[&receipt(b""), "more"]).conclude(), Err(NoReceipt::Missing));
        let mut binary = ledger(&[]);
        binary.add_part(receipt(b"").as_bytes(), false, true);
        assert_eq!(binary.conclude(), Err(NoReceipt::Missing));
        let mut cut = ledger(&[]);
        cut.add_part(receipt(b"").as_bytes(), true, false);
        assert_eq!(cut.conclude(), Err(NoReceipt::Damaged));
    }

    #[test]
    fn a_receipt_that_the_client_has_sent_as_a_message_is_an_echo() {
        let forged = receipt(b"one");
        let mut ledger = ledger(&["one", &forged]);
        ledger.add_sent(b"one");
        ledger.add_sent(forged.as_bytes());
        assert_eq!(ledger.conclude(), Err(NoReceipt::Missing));
    }
}
