//! Why a connection ended.

use std::io;

use crate::metrics::REASONS;

/// Reason for the end of a connection: the first that applied, unless the server later cut the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The peer sent an exit.
    Exit,
    /// The peer ended its stream.
    Fin,
    /// The peer ended its stream without the end of its layer's direction, so bytes may be missing.
    Truncated,
    /// The peer reset the connection.
    Reset,
    /// The peer has vanished: it acknowledged neither bytes nor keepalive probes.
    Vanished,
    /// The system reported another error of the socket.
    SocketError,
    /// The peer read the messages of its room too slowly.
    #[cfg(feature = "rooms")]
    TooSlow,
    /// The peer announced a frame over the limit.
    FrameTooLong,
    /// The peer has ended its protocol in good order: HTTP or WebSocket.
    Complete,
    /// The peer broke the rules of its protocol: HTTP or WebSocket.
    ProtocolError,
    /// The server does not serve what the peer asked for by its protocol.
    RequestRefused,
    /// The peer was silent in the middle of its protocol.
    ProtocolTimeout,
    /// The peer broke the rules of TLS after its handshake.
    LayerError,
    /// The peer failed to log in.
    #[cfg(feature = "login")]
    Login,
    /// The user of the connection was removed.
    #[cfg(feature = "login")]
    UserRemoved,
    /// The peer completed no TLS handshake.
    Handshake,
    /// The peer sent no valid PROXY header.
    ProxyHeader,
    /// A limit refused the client that a PROXY header named.
    Refused,
    IdleTimeout,
    WriteTimeout,
    /// The peer kept sending after the half-close.
    Linger,
    /// The bytes for the peer exceeded the send buffer.
    SendBufferFull,
    /// The server injected a fault that ends the connection.
    Fault,
    /// The server drained, and the connection with it.
    Drain,
    DrainTimeout,
    /// The server stopped immediately.
    Shutdown,
    /// A defect of the server.
    Panic,
}

const _: () = assert!((CloseReason::Panic as usize) < REASONS);

impl CloseReason {
    /// All reasons, each at its index.
    #[cfg(any(test, feature = "admin"))]
    pub(crate) const ALL: &[Self] = &[
        Self::Exit,
        Self::Fin,
        Self::Truncated,
        Self::Reset,
        Self::Vanished,
        Self::SocketError,
        #[cfg(feature = "rooms")]
        Self::TooSlow,
        Self::FrameTooLong,
        Self::Complete,
        Self::ProtocolError,
        Self::RequestRefused,
        Self::ProtocolTimeout,
        Self::LayerError,
        #[cfg(feature = "login")]
        Self::Login,
        #[cfg(feature = "login")]
        Self::UserRemoved,
        Self::Handshake,
        Self::ProxyHeader,
        Self::Refused,
        Self::IdleTimeout,
        Self::WriteTimeout,
        Self::Linger,
        Self::SendBufferFull,
        Self::Fault,
        Self::Drain,
        Self::DrainTimeout,
        Self::Shutdown,
        Self::Panic,
    ];

    /// Returns the index of its counter.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Returns the reason behind an error of the socket.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Self::Reset,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => Self::Vanished,
            io::ErrorKind::StorageFull => Self::SendBufferFull,
            _ => Self::SocketError,
        }
    }

    /// Returns whether this reason replaces an earlier one: the server has cut a connection that was ending in good order.
    pub(crate) fn replaces(self, earlier: Self) -> bool {
        let is_cut = matches!(
            self,
            Self::DrainTimeout
                | Self::Shutdown
                | Self::Linger
                | Self::WriteTimeout
                | Self::Fault
                | Self::Panic
        );
        is_cut
            && matches!(
                earlier,
                Self::Exit | Self::Complete | Self::Fin | Self::Truncated | Self::Drain
            )
    }

    /// Returns the name for the log, in which a reason with an event of its own has the name of that event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Fin => "fin",
            Self::Truncated => "truncated",
            Self::Reset => "reset",
            Self::Vanished => "vanished",
            Self::SocketError => "socket-error",
            #[cfg(feature = "rooms")]
            Self::TooSlow => "too-slow",
            Self::FrameTooLong => "frame-too-long",
            Self::Complete => "complete",
            Self::ProtocolError => "protocol-error",
            Self::RequestRefused => "request-refused",
            Self::ProtocolTimeout => "protocol-timeout",
            Self::LayerError => "tls-error",
            #[cfg(feature = "login")]
            Self::Login => "login-failed",
            #[cfg(feature = "login")]
            Self::UserRemoved => "user-removed",
            Self::Handshake => "handshake-failed",
            Self::ProxyHeader => "proxy-header",
            Self::Refused => "refused",
            Self::IdleTimeout => "idle-timeout",
            Self::WriteTimeout => "write-timeout",
            Self::Linger => "linger-timeout",
            Self::SendBufferFull => "send-buffer-full",
            Self::Fault => "fault",
            Self::Drain => "drain",
            Self::DrainTimeout => "drain-timeout",
            Self::Shutdown => "shutdown",
            Self::Panic => "panic",
        }
    }

    /// Returns which side ended the connection.
    pub(crate) fn closed_by(self) -> &'static str {
        match self {
            Self::Exit | Self::Complete | Self::Fin | Self::Truncated | Self::Reset => "client",
            Self::Vanished | Self::SocketError => "system",
            _ => "server",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_at_its_index() {
        for (index, reason) in CloseReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index, "{reason:?}");
        }
        assert_eq!(CloseReason::ALL.last(), Some(&CloseReason::Panic), "the last one");
    }
}
