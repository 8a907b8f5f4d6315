//! Specification of a load, as the report repeats it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Specification of a load: everything that is needed to run it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LoadSpec {
    /// Server, as `HOST:PORT` or a URL.
    pub(crate) server: String,
    /// Number of processes.
    pub(crate) processes: u32,
    /// Connections of each process.
    pub(crate) connections: u32,
    /// Measured time; null if `messages` ends the load.
    pub(crate) duration_seconds: Option<f64>,
    /// Messages of each connection; null if `duration_seconds` ends the load.
    pub(crate) messages: Option<u64>,
    /// Minimum size of a message in bytes, including its newline.
    pub(crate) min_size: u32,
    /// Maximum size of a message in bytes.
    pub(crate) max_size: u32,
    /// Closed loop: number of messages that each connection has in flight.
    pub(crate) pipeline: Option<u32>,
    /// Open loop: messages per second, of all processes together.
    pub(crate) rate: Option<f64>,
    /// Number of messages after which a connection is replaced.
    pub(crate) churn: Option<u64>,
    /// The server was allowed to end connections.
    pub(crate) expect_restart: bool,
    /// Time at the start in which messages were not counted.
    pub(crate) warmup_seconds: f64,
    /// Limit for a connection to be made, and for missing bytes to arrive.
    pub(crate) timeout_seconds: f64,
    /// Seed of the payload.
    pub(crate) seed: u64,
    /// Load of a room; absent for other loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) room: Option<RoomSpec>,
}

/// Specification of a load of a room, whose members are the connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RoomSpec {
    /// Members that send, of all processes together.
    pub(crate) senders: u32,
    /// The room that the members joined; null if they stayed in the one that the server chose.
    pub(crate) name: Option<String>,
    /// The events were lines instead of frames.
    pub(crate) is_text: bool,
}
