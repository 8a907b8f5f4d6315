//! A line of a fault log.

use serde::{Deserialize, Serialize};

use super::act::FaultAct;

/// A line of a fault log: an injected fault, with the connection to which it happened.
///
/// ```
/// use common::fault::{Fault, FaultAct, FaultRecord};
/// let line = r#"{"time":"2026-01-31T12:00:00.000001Z","listener":"127.0.0.1:7","peer":"127.0.0.1:50000",
///     "seed":7,"connection":3,"fault":"reset-after","direction":"sent","offset":1048576}"#;
/// let record: FaultRecord = serde_json::from_str(line)?;
/// assert_eq!(record.act, FaultAct::sent(Fault::ResetAfter, 1_048_576));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// The time, by the wall clock of the server (RFC 3339).
    pub time: String,
    /// The listener, as the log names it.
    pub listener: String,
    /// The client, as the log names it.
    pub peer: String,
    /// The seed of the listener's faults.
    pub seed: u64,
    /// The number of the connection at its listener, from 0. Over UDP, of the source.
    pub connection: u64,
    /// The fault and its place.
    #[serde(flatten)]
    pub act: FaultAct,
}
