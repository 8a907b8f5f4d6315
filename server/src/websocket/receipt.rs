//! The receipt of a WebSocket: a text message, the last one before the close frame of the server.

use common::{
    fault::FaultId,
    receipt::{EndedBy, Receipt, Tally},
    websocket::text_frame,
};

/// The payload of data messages, after decompression.
#[derive(Debug, Default)]
pub(super) struct PayloadTally {
    /// The bytes of both directions, which are the same until an exit; then those of the client.
    received: Tally,
    /// The bytes before an exit.
    before_exit: Option<Tally>,
    /// The seed and the number of the connection, if it has faults.
    pub(super) faults: Option<FaultId>,
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
    pub(super) fn message(self, last: &[u8], ended_by: EndedBy) -> Vec<u8> {
        let mut sent = self.before_exit.unwrap_or_else(|| self.received.clone());
        sent.update(last);
        let receipt =
            Receipt::new(self.received.total(), sent.total(), ended_by).with_faults(self.faults);
        let mut frame = Vec::new();
        text_frame(receipt.to_string().as_bytes(), &mut frame);
        frame
    }
}
