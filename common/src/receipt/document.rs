//! The receipt, and its JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The bytes and messages that a server received and sent on a connection.
///
/// Its text is one JSON object in one line, without a newline.
///
/// ```
/// use common::receipt::{EndedBy, Receipt, Tally};
/// let mut stream = Tally::default();
/// stream.update(b"hello\n");
/// stream.add_messages(1);
/// let receipt =
///     Receipt { received: stream.total(), sent: stream.total(), ended_by: EndedBy::Client };
/// let text = receipt.to_string();
/// assert!(text.starts_with(r#"{"receipt":{"received":{"bytes":6,"messages":1,"sha256":"5891b5b5"#));
/// assert_eq!(Receipt::parse(text.as_bytes()).unwrap(), receipt);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The bytes of the client that the server's session took.
    pub received: Total,
    /// The bytes of the server before the receipt.
    pub sent: Total,
    /// The side that ended the connection.
    pub ended_by: EndedBy,
}

/// The side that ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// The client has ended its stream, or closed its WebSocket, or sent an exit, behind which the server reads nothing.
    Client,
    /// The server ended it before the client did, so it may not have read the last bytes.
    Server,
}

/// The bytes of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Number of bytes.
    pub bytes: u64,
    /// Number of messages, as the server's log counts them. It is for people: how many reads or frames a message took is no
    /// loss, so a [comparison](super::Comparison) leaves it out.
    pub messages: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
}

/// The object around a receipt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    receipt: Receipt,
}

/// Bytes that are not a receipt, and why.
#[derive(Debug, thiserror::Error)]
#[error("it is not a receipt: {0}")]
pub struct MalformedReceipt(serde_json::Error);

impl Receipt {
    /// Parses a receipt. Unknown, missing and repeated members are errors, and so is anything around the object but white
    /// space.
    ///
    /// # Errors
    ///
    /// The bytes are anything else.
    pub fn parse(text: &[u8]) -> Result<Self, MalformedReceipt> {
        let envelope: Envelope = serde_json::from_slice(text).map_err(MalformedReceipt)?;
        Ok(envelope.receipt)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&Envelope { receipt: *self });
        f.write_str(&text.expect("numbers and digests are JSON"))
    }
}
