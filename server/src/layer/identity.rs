//! What a login may use of a layer.

use std::fmt;

/// Identity of a connection and of its peer.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The channel binding `tls-exporter` (RFC 9266), if the layer has it.
    pub(crate) exporter: Option<[u8; 32]>,
    /// The common name in the verified certificate of the peer.
    pub(crate) common_name: Option<String>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let common_name = &self.common_name;
        formatter.debug_struct("Identity").field("common_name", common_name).finish_non_exhaustive()
    }
}
