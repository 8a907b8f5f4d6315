//! Check of the WebSocket messages of a load that return, apart from their bytes.

use memchr::memchr;

use crate::websocket::{MessageFault, Opcode};

/// State of one connection.
#[derive(Debug)]
pub(super) struct MessageCheck {
    /// The messages are texts.
    is_text: bool,
    /// Number of messages that were sent at least in part, and have not returned.
    in_flight: u64,
    /// The last byte of the message so far is a newline, so that the message must end.
    is_at_newline: bool,
}

impl MessageCheck {
    /// Creates the check of texts, or of binary messages.
    pub(super) fn new(is_text: bool) -> Self {
        Self { is_text, in_flight: 0, is_at_newline: false }
    }

    /// Returns the type of the messages.
    #[inline]
    pub(super) fn opcode(&self) -> Opcode {
        if self.is_text { Opcode::Text } else { Opcode::Binary }
    }

    /// Adds a message that is sent.
    #[inline]
    pub(super) fn add(&mut self) {
        self.in_flight += 1;
    }

    /// Checks that a message ends after its newline, and has the right type; returns how many of these bytes are right, and the fault
    /// after them.
    ///
    /// A wrong type takes the place of the newline: the message does not count as returned, and its other bytes are checked.
    #[inline]
    pub(super) fn check(
        &mut self,
        part: &[u8],
        is_text: bool,
        is_end: bool,
    ) -> (usize, Option<MessageFault>) {
        let mut valid = part.len();
        if !part.is_empty() {
            let newline = memchr(b'\n', part);
            if self.is_at_newline {
                valid = 0;
            } else if let Some(newline) = newline {
                valid = newline + 1;
            }
            if valid < part.len() {
                let is_alone = self.in_flight <= 1;
                let fault = if is_alone { MessageFault::Longer } else { MessageFault::Joined };
                return (valid, Some(fault));
            }
            self.is_at_newline = newline.is_some();
            if is_text != self.is_text && self.is_at_newline {
                return (valid - 1, Some(MessageFault::returned_as(is_text)));
            }
        }
        if is_end {
            self.in_flight = self.in_flight.saturating_sub(1);
            if !std::mem::take(&mut self.is_at_newline) {
                return (valid, Some(MessageFault::Split));
            }
        }
        (valid, None)
    }
}
