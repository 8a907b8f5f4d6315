//! The receipt, and its JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{digest::Digest, tally::Total};
use crate::fault::FaultId;

/// The bytes and messages that a server received and sent on a connection.
///
/// Its text is one JSON object in one line, without a newline. It ends with a SHA-256 of the receipt, because it travels on a
/// way whose faults it is to show.
///
/// ```
/// use common::receipt::{EndedBy, Receipt, Tally};
/// let mut stream = Tally::default();
/// stream.update(b"hello\n");
/// stream.add_messages(1);
/// let receipt = Receipt::new(stream.total(), stream.total(), EndedBy::Client);
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
    /// The seed of the faults that the server injects on purpose; absent without faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_seed: Option<u64>,
    /// The number of the connection among those with these faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_connection: Option<u64>,
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

/// The object around a receipt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    receipt: Receipt,
    /// Of the JSON of the receipt.
    sha256: Digest,
}

/// Bytes that are not a receipt, and why.
#[derive(Debug, thiserror::Error)]
pub enum MalformedReceipt {
    /// They are not the JSON of a receipt.
    #[error("it is not a receipt: {0}")]
    Json(serde_json::Error),
    /// They are the JSON of a receipt, and not of the one that was sent.
    #[error("the receipt is damaged: its SHA-256 differs")]
    Damaged,
}

impl Receipt {
    /// Creates the receipt of a connection without faults.
    #[must_use]
    pub fn new(received: Total, sent: Total, ended_by: EndedBy) -> Self {
        Self { received, sent, ended_by, fault_seed: None, fault_connection: None }
    }

    /// Names the seed and the number of the connection, if it has faults.
    #[must_use]
    pub fn with_faults(self, faults: Option<FaultId>) -> Self {
        Self {
            fault_seed: faults.map(|faults| faults.seed),
            fault_connection: faults.map(|faults| faults.connection),
            ..self
        }
    }

    /// Returns the seed and the number of the connection, if it has faults.
    #[must_use]
    pub fn faults(&self) -> Option<FaultId> {
        Some(FaultId { seed: self.fault_seed?, connection: self.fault_connection? })
    }

    /// Parses a receipt. Unknown, missing and repeated members are errors, and so is anything around the object but white
    /// space.
    ///
    /// # Errors
    ///
    /// The bytes are anything else.
    pub fn parse(text: &[u8]) -> Result<Self, MalformedReceipt> {
        let envelope = serde_json::from_slice(text).map_err(MalformedReceipt::Json)?;
        let Envelope { receipt, sha256 } = envelope;
        if receipt.digest() == sha256 { Ok(receipt) } else { Err(MalformedReceipt::Damaged) }
    }

    fn digest(&self) -> Digest {
        Total::of(to_json(self).as_bytes()).sha256
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_json(&Envelope { receipt: *self, sha256: self.digest() }))
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers and digests are JSON")
}
