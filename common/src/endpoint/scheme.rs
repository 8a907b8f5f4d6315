//! The schemes of URLs.

use crate::protocol::DEFAULT_PORT;

/// The scheme of a URL, which chooses the protocols of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `tcp`
    Tcp,
    /// `tls`: TCP with TLS.
    Tls,
    /// `udp`
    Udp,
    /// `unix`
    Unix,
    /// `http`, of a listener: HTTP, and WebSocket by upgrade.
    Http,
    /// `https`: the same with TLS.
    Https,
    /// `ws`, of a client: WebSocket.
    Ws,
    /// `wss`: the same with TLS.
    Wss,
}

impl Scheme {
    /// Returns whether connections have TLS.
    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Https | Self::Wss)
    }

    /// Returns whether a listener speaks HTTP.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Returns whether a client speaks WebSocket.
    #[must_use]
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    pub(super) fn parse(scheme: &str) -> Option<Self> {
        Some(match scheme {
            "tcp" => Self::Tcp,
            "tls" => Self::Tls,
            "udp" => Self::Udp,
            "unix" => Self::Unix,
            "http" => Self::Http,
            "https" => Self::Https,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            _ => return None,
        })
    }

    /// Returns the port of a URL without one (RFC 9110, section 4.2, and RFC 6455, section 3).
    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::Ws => 80,
            Self::Https | Self::Wss => 443,
            Self::Tcp | Self::Tls | Self::Udp | Self::Unix => DEFAULT_PORT,
        }
    }
}
