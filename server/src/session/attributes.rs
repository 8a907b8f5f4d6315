//! The attributes of a connection that a protocol may show to its peer.

use std::time::{Instant, SystemTime};

#[cfg(feature = "login")]
use crate::layer::Identity;
use crate::{layer::Handshake, telemetry::ConnectionId};

/// A connection as its protocol sees it.
#[cfg_attr(
    not(all(feature = "http", feature = "login", feature = "rooms")),
    allow(dead_code, reason = "HTTP, the login and rooms use different parts")
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) id: ConnectionId,
    /// The worker that serves the connection.
    pub(crate) worker: usize,
    /// The user who has logged in.
    pub(crate) user: Option<&'a str>,
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
    /// What a login may use of TLS. `None`: there is no TLS, or no login.
    #[cfg(feature = "login")]
    pub(crate) identity: Option<&'a Identity>,
    /// The time at which the server accepted the connection.
    pub(crate) opened_at: Instant,
}
