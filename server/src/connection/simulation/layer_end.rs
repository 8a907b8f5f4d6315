//! The end of a layer, as a peer sees it.

/// The server's direction of a layer, as the peer has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayerEnd {
    /// There is no layer.
    Absent,
    Open,
    Ended,
    /// The server has sent a fatal alert.
    Alert,
}
