//! A session that ends with a receipt for its client: what the server received and sent, with digests (`receipt=on`).
//!
//! Owns the tally of a text or length session and the place of the receipt behind its last bytes. Must not know the JSON of a
//! receipt, which `common::receipt` has, nor the receipts of a WebSocket. Read `handler.rs` first.

mod handler;
#[cfg(test)]
mod tests;

pub(crate) use self::handler::ReceiptSession;
