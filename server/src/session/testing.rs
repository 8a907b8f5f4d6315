//! A connection for the tests of protocol handlers, without a socket.

use std::time::{Instant, UNIX_EPOCH};

use crate::telemetry::ConnectionId;

use super::{
    attributes::Attributes,
    step::{Next, ProtocolHandler, Reason, Reply},
};

/// What a peer receives, and the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) received: Vec<u8>,
    /// Bytes that the log shows as received.
    pub(crate) logged: Vec<u8>,
    pub(crate) messages: isize,
    pub(crate) ended: Option<Reason>,
}

impl Attributes<'_> {
    /// Returns the attributes of a plain connection.
    pub(crate) fn for_tests() -> Self {
        Self {
            id: ConnectionId::default(),
            worker: 0,
            user: None,
            peer: "192.0.2.1:5000",
            proxy: None,
            local: "192.0.2.2:80",
            listener: "http://0.0.0.0:80",
            time: UNIX_EPOCH,
            handshake: None,
            #[cfg(feature = "login")]
            identity: None,
            opened_at: Instant::now(),
        }
    }
}

/// Passes reads to a handler as a connection does, until it closes. Returns the last handler, which may be another.
pub(crate) fn run_handler(
    mut handler: Box<dyn ProtocolHandler>,
    reads: &[&[u8]],
) -> (Exchange, Box<dyn ProtocolHandler>) {
    let now = Instant::now();
    let (mut held, mut messages) = (Vec::new(), 0);
    let (mut received, mut logged) = (Vec::new(), Vec::new());
    handler.begin(&Attributes::for_tests(), now);
    for read in reads {
        let mut input = [&held[..], read].concat();
        let mut at = 0;
        while at < input.len() {
            let step = handler.receive(&mut input[at..], now);
            assert!(step.echo <= step.consumed && handler.logged() <= step.consumed);
            assert!(at + step.consumed <= input.len());
            received.extend_from_slice(&input[at..at + step.echo]);
            logged.extend_from_slice(&input[at..at + handler.logged()]);
            messages += step.messages;
            at += step.consumed;
            let Some(Reply { bytes, next }) = step.reply else { break };
            received.extend_from_slice(&bytes);
            match next {
                Next::Continue | Next::Pause => {}
                Next::Switch(next) => handler = next,
                Next::Wait => {}
                #[cfg(feature = "login")]
                Next::LoggedIn { .. } | Next::LoginFailed { .. } => {}
                Next::Close(reason) => {
                    return (Exchange { received, logged, messages, ended: Some(reason) }, handler);
                }
            }
        }
        held = input[at..].to_vec();
    }
    (Exchange { received, logged, messages, ended: None }, handler)
}
