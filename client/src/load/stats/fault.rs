//! Fault: a difference between what was sent and what returned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Difference between what was sent and what returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Fault {
    /// Number of the connection in the run, from 0.
    pub(crate) connection: u64,
    /// Offset of the first difference, from 0, in the connection's stream or in the datagram.
    pub(crate) offset: u64,
    /// Kind of fault.
    pub(crate) kind: FaultKind,
    /// Sentence that names the expected bytes, the received bytes, and where these belong.
    pub(crate) text: String,
}

/// Kind of fault.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultKind {
    /// Bytes of another connection arrived.
    Foreign,
    /// Bytes arrived twice.
    Repeated,
    /// Bytes are missing, and the bytes after them arrived.
    Skipped,
    /// Bytes arrived after the bytes that follow them.
    Reordered,
    /// Bytes arrived that were never sent.
    Damaged,
    /// The bytes are right, and a message ends elsewhere than where it was sent.
    Boundary,
    /// The bytes are right, and a WebSocket message has another type.
    Type,
}
