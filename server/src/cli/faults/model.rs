//! The answer of the admin listener as data.

use serde::Deserialize;

/// Listeners with their faults.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub(super) listeners: Vec<Listener>,
}

/// A listener. The fields about faults are `None` if it has none.
#[derive(Debug, Deserialize)]
pub(super) struct Listener {
    /// The address, as the log of the server names it.
    #[serde(rename = "listener")]
    pub(super) address: String,
    /// All of its addresses, if its host is a name.
    #[serde(default)]
    pub(super) addresses: Vec<String>,
    pub(super) protocol: String,
    pub(super) faults: Option<String>,
    pub(super) seed: Option<u64>,
    pub(super) age_seconds: Option<f64>,
    /// Number of connections that have got a number since the faults were set.
    pub(super) connections: Option<u64>,
}
