//! The stages of a connection's life.

use crate::config::Proxy;

/// Stage of a connection. It never returns to an earlier stage, except from `Paused` and `Waiting`: the preamble, then
/// service, then either `Flushing` and `Lingering`, or `Ending` and `Delivering`, or `Closing`. A lingering connection is
/// delivering when its peer has ended its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// A PROXY header is expected.
    ProxyHeader,
    /// The layer is not established yet.
    Handshake,
    /// The session receives bytes.
    Serving,
    /// The session has used its share of the turn. It receives the held bytes in the next one, and nothing is read before.
    Paused,
    /// The session waits for its deadline, and nothing is read before.
    Waiting,
    /// The session is over: the unsent bytes are sent, then the connection is half-closed.
    Flushing,
    /// The peer has ended its stream: the unsent bytes are sent, then the connection is half-closed.
    Ending,
    /// The connection closes when the unsent bytes are sent, and may be reset.
    Closing,
    /// Half-closed. Received bytes are discarded, so that closing does not reset the connection.
    Lingering,
    /// Both directions have ended: the connection closes when the peer has acknowledged everything. The system discards
    /// what it has not sent for a closed socket when it is short of memory.
    Delivering,
}

impl Stage {
    /// Returns the first stage of a connection.
    pub(super) fn first(proxy: Proxy, is_established: bool) -> Self {
        match proxy {
            Proxy::Required => Self::ProxyHeader,
            Proxy::Off => Self::after_proxy_header(is_established),
        }
    }

    /// Returns the stage after the PROXY header.
    pub(super) fn after_proxy_header(is_established: bool) -> Self {
        if is_established { Self::Serving } else { Self::Handshake }
    }

    /// Returns the name of the stage, for people.
    #[cfg(feature = "admin")]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ProxyHeader => "proxy-header",
            Self::Handshake => "handshake",
            Self::Serving => "serving",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Flushing => "flushing",
            Self::Ending => "ending",
            Self::Closing => "closing",
            Self::Lingering => "lingering",
            Self::Delivering => "delivering",
        }
    }

    /// Returns whether the session is open, whether or not it receives bytes.
    pub(super) fn is_in_session(self) -> bool {
        matches!(self, Self::Serving | Self::Paused | Self::Waiting)
    }

    /// Returns whether the session has not begun. One deadline covers all of the preamble, so that a slow peer cannot
    /// use up a limit for each of its stages.
    pub(super) fn is_preamble(self) -> bool {
        self < Self::Serving
    }
}
