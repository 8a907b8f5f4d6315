//! The attributes of a connection that a protocol may show to its peer.

use std::time::SystemTime;

use crate::layer::Handshake;

/// A connection as its protocol sees it.
#[cfg_attr(
    not(any(test, feature = "http")),
    expect(dead_code, reason = "without HTTP there is no handler")
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    /// The peer: the other end of the socket, or the source that a PROXY header names.
    pub(crate) peer: &'a str,
    /// The other end of the socket, if a PROXY header names another source.
    pub(crate) proxy: Option<&'a str>,
    /// This end of the socket.
    pub(crate) local: &'a str,
    /// The listener that accepted the connection, as it is configured.
    pub(crate) listener: &'a str,
    /// The time of the wall clock at the beginning of the session, which then counts from it.
    pub(crate) time: SystemTime,
    /// What TLS and its peer have agreed on.
    pub(crate) handshake: Option<&'a Handshake>,
}
