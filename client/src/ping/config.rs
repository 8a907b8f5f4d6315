//! Validated settings of `ping`.

use std::time::Duration;

use common::protocol::MAX_DATAGRAM;

use super::{args::PingArgs, sequence::HEADER_LEN};

/// Minimum size of a datagram: its header.
const MIN_DATAGRAM_SIZE: usize = HEADER_LEN;

/// Maximum size of a datagram.
const MAX_DATAGRAM_SIZE: usize = MAX_DATAGRAM as usize;

/// Round trips to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PingConfig {
    /// Number of round trips; `None` continues until Ctrl+C.
    pub(crate) count: Option<u64>,
    /// Time from the start of one round trip to the start of the next.
    pub(crate) interval: Duration,
    /// Size of a message in bytes, over a stream including its newline. Invariant: at least one.
    pub(crate) size: usize,
    /// Over WebSocket: round trips are pings and pongs, in place of messages.
    pub(crate) uses_pings: bool,
}

/// Maximum size of the payload of a ping (RFC 6455, section 5.5).
const MAX_PING_SIZE: usize = 125;

/// Contradiction of `--ws-ping` and other arguments.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPing {
    /// The server has no WebSocket.
    #[error(
        "'--ws-ping' needs a server with WebSocket: name it as ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
    )]
    NoWebSocket,
    /// The payload is too long.
    #[error(
        "'--size {0}' cannot be used with '--ws-ping': a ping has at most {MAX_PING_SIZE} bytes"
    )]
    Size(usize),
}

/// Size that a datagram cannot have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'--size {0}' cannot be used over UDP: a datagram of 'ping' has {MIN_DATAGRAM_SIZE} to {MAX_DATAGRAM_SIZE} bytes"
)]
pub(crate) struct InvalidDatagramSize(usize);

impl PingConfig {
    /// Checks that the settings suit the server.
    pub(crate) fn check_pings(&self, has_websocket: bool) -> Result<(), InvalidPing> {
        match self.uses_pings {
            true if !has_websocket => Err(InvalidPing::NoWebSocket),
            true if self.size > MAX_PING_SIZE => Err(InvalidPing::Size(self.size)),
            _ => Ok(()),
        }
    }

    /// Checks that the settings suit UDP.
    pub(crate) fn check_udp(&self) -> Result<(), InvalidDatagramSize> {
        if (MIN_DATAGRAM_SIZE..=MAX_DATAGRAM_SIZE).contains(&self.size) {
            Ok(())
        } else {
            Err(InvalidDatagramSize(self.size))
        }
    }
}

impl From<PingArgs> for PingConfig {
    fn from(args: PingArgs) -> Self {
        let count = Some(args.count).filter(|&count| count > 0);
        Self { count, interval: args.interval, size: args.size, uses_pings: args.ws_ping }
    }
}
