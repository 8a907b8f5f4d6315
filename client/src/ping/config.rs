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
}

/// Size that a datagram cannot have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'--size {0}' cannot be used over UDP: a datagram of 'ping' has {MIN_DATAGRAM_SIZE} to {MAX_DATAGRAM_SIZE} bytes"
)]
pub(crate) struct InvalidDatagramSize(usize);

impl PingConfig {
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
        Self { count, interval: args.interval, size: args.size }
    }
}
