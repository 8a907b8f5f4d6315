//! The stages of a connection's life.

/// Stage of a connection. It never returns to an earlier stage: a header, if there is one, then service, then either
/// `Flushing` and `Lingering`, or `Closing`. A lingering connection closes when its peer ends its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A PROXY header is expected.
    ProxyHeader,
    /// The session receives bytes.
    Serving,
    /// The session is over: the unsent bytes are sent, then the connection is half-closed.
    Flushing,
    /// The peer has ended its stream: the connection closes when the unsent bytes are sent.
    Closing,
    /// Half-closed. Received bytes are discarded, so that closing does not reset the connection.
    Lingering,
}
