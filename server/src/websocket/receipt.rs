//! The receipt of a WebSocket: a text message, the last one before the close frame of the server.

use common::receipt::{Receipt, Tally};

/// The payload of data messages, after decompression.
#[derive(Debug, Default)]
pub(super) struct PayloadTally {
    /// The bytes of both directions, which are the same until an exit; then those of the client.
    received: Tally,
    /// The bytes before an exit.
    before_exit: Option<Tally>,
}

impl PayloadTally {
    /// Adds payload of the client.
    pub(super) fn update(&mut self, payload: &[u8]) {
        self.received.update(payload);
    }

    /// Adds complete frames.
    pub(super) fn add_frames(&mut self, frames: isize) {
        self.received.add_messages(frames);
        if let Some(before) = &mut self.before_exit {
            before.add_messages(frames);
        }
    }

    /// Marks the beginning of a message that may be an exit: one is not echoed.
    pub(super) fn begin_exit(&mut self) {
        self.before_exit = Some(self.received.clone());
    }

    /// The message that began last is not an exit.
    pub(super) fn cancel_exit(&mut self) {
        self.before_exit = None;
    }

    /// Returns the message with the receipt, behind the last payload of the server.
    pub(super) fn message(self, last: &[u8]) -> Vec<u8> {
        let mut sent = self.before_exit.unwrap_or_else(|| self.received.clone());
        sent.update(last);
        text_message(&Receipt { received: self.received.total(), sent: sent.total() }.to_string())
    }
}

/// Returns a text message of the server in one frame. It has at most 65,535 bytes.
fn text_message(text: &str) -> Vec<u8> {
    const FINAL_TEXT: u8 = 0x81;
    const TWO_BYTE_LENGTH: u8 = 126;
    let len = u16::try_from(text.len()).expect("a receipt has at most 512 bytes");
    debug_assert!(
        len >= u16::from(TWO_BYTE_LENGTH),
        "a shorter message has its length in one byte"
    );
    [&[FINAL_TEXT, TWO_BYTE_LENGTH], &len.to_be_bytes()[..], text.as_bytes()].concat()
}
