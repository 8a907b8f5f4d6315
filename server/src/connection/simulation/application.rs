//! The protocol of the connections of a schedule.

use std::{sync::Arc, time::Duration};

use common::protocol::Protocol;
use fastrand::Rng;

use super::script::{Script, messages, requests};
use crate::{admission::ConnectionPolicy, config::Http};

/// Limit on the length of the longest reply of HTTP: the picture of the page.
const LONGEST_REPLY: usize = 1300;

pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The protocol of the connections of a schedule.
#[derive(Clone, Debug)]
pub(super) enum Application {
    Echo(Protocol),
    /// HTTP, and WebSocket by upgrade.
    Http(Arc<Http>),
}

impl Application {
    pub(super) fn random(rng: &mut Rng) -> Self {
        match rng.u8(0..5) {
            0 => Self::Echo(Protocol::Text),
            1 => Self::Echo(Protocol::Raw),
            2 => Self::Echo(Protocol::Length),
            _ => Self::Http(Arc::new(http(rng))),
        }
    }

    /// Returns the policy of a listener, with timeouts.
    pub(super) fn policy(&self, write_timeout: Duration, rng: &mut Rng) -> ConnectionPolicy {
        match self {
            Self::Echo(protocol) => ConnectionPolicy::for_protocol(*protocol)
                .with_timeouts(Some(IDLE_TIMEOUT), Some(write_timeout)),
            Self::Http(http) => {
                let mut policy = ConnectionPolicy::for_protocol(Protocol::Raw)
                    .with_timeouts(rng.bool().then_some(IDLE_TIMEOUT), Some(write_timeout));
                policy.options.http = Some(Arc::clone(http));
                policy
            }
        }
    }

    pub(super) fn script(&self, rng: &mut Rng) -> Script {
        match self {
            Self::Echo(protocol) => {
                let longest_held = if *protocol == Protocol::Length { 64 } else { 0 };
                Script { bytes: messages(*protocol, rng), longest_held, has_frames: false }
            }
            Self::Http(_) => requests(rng),
        }
    }

    /// Returns the number of bytes that the socket of a peer takes at the beginning.
    pub(super) fn room(&self, rng: &mut Rng) -> usize {
        // Otherwise the responses of HTTP would always be blocked.
        let is_large = matches!(self, Self::Http(_)) && rng.bool();
        rng.usize(0..if is_large { 3000 } else { 40 })
    }

    /// Returns the parameters of HTTP.
    pub(super) fn http(&self) -> Option<&Http> {
        match self {
            Self::Echo(_) => None,
            Self::Http(http) => Some(http),
        }
    }

    /// Returns whether any bytes may follow those of a script.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Echo(Protocol::Text | Protocol::Raw))
    }

    /// Returns whether the model knows nothing of the plaintext that the session holds.
    pub(super) fn is_length(&self) -> bool {
        matches!(self, Self::Echo(Protocol::Length))
    }

    /// Returns the maximum by which the answer to a read is longer than the read.
    pub(super) fn longest_reply(&self) -> usize {
        match self {
            Self::Echo(_) => 64,
            Self::Http(_) => LONGEST_REPLY,
        }
    }
}

fn http(rng: &mut Rng) -> Http {
    let seconds = |seconds| Duration::from_secs(seconds);
    Http {
        subprotocols: vec!["echo".to_owned()],
        max_message: rng.choice([100, 1024, 1 << 30, 1 << 30]).expect("the list is not empty"),
        head_timeout: seconds(rng.u64(1..10)),
        ping_interval: (rng.u8(0..4) > 0).then(|| seconds(rng.u64(1..10))),
        ..Http::default()
    }
}
