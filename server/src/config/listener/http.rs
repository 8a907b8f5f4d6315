//! The configuration of HTTP and WebSocket on a listener.

use std::time::Duration;

use crate::config::limits;

/// HTTP/1.1 on a listener (RFC 9112), and WebSocket by upgrade (RFC 6455).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http {
    /// Values of `Origin` that a browser may send to open a WebSocket, besides the origin of the server's own page: in lower
    /// case, and without the default port of the scheme. `*` allows all. A client without `Origin` is no browser, and is served. Default: none.
    pub origins: Vec<String>,
    /// Names of the server in `Host`, besides addresses and `localhost`, under which it serves its page. A page under
    /// another name could be one of somebody else, whose name resolves to this server (DNS rebinding). Default: none.
    pub hosts: Vec<String>,
    /// Names of subprotocols, of which the first that a client offers is selected. Default: none.
    pub subprotocols: Vec<String>,
    /// Limit on a WebSocket message, in bytes. Default: 1 GiB, because a message is never stored.
    pub max_message: u64,
    /// Compression of WebSocket messages (permessage-deflate, RFC 7692) for clients that offer it. Default: no, because
    /// each connection then keeps the state of a decompressor.
    pub deflate: bool,
    /// Limit on the time from the first byte of a request until its head is complete. Default: 10 s.
    pub head_timeout: Duration,
    /// Interval of pings to a silent WebSocket client. A client from which nothing arrives for two intervals is
    /// disconnected. Default: 30 s;
    /// `None`: no pings.
    pub ping_interval: Option<Duration>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            hosts: Vec::new(),
            subprotocols: Vec::new(),
            max_message: limits::MESSAGE,
            deflate: false,
            head_timeout: limits::HEAD_TIMEOUT,
            ping_interval: Some(limits::PING_INTERVAL),
        }
    }
}
