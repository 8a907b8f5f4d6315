//! HTTP and WebSocket: the result is the same for every split of the input into reads.

use std::{
    mem::discriminant,
    sync::Arc,
    time::{Instant, UNIX_EPOCH},
};

use server::Http;

use crate::{
    http::HttpHandler,
    reads::Reads,
    session::{Attributes, Next, ProtocolHandler, Reason},
    telemetry::ConnectionId,
    websocket::{WebSocket, negotiate},
};

/// Checks requests.
///
/// # Panics
///
/// If the result depends on the reads.
pub fn check_http(input: &[u8]) {
    check(input, || Box::new(HttpHandler::new(Arc::new(Http::default()))));
}

/// Checks frames, compressed and not.
///
/// # Panics
///
/// If the result depends on the reads.
pub fn check_websocket(input: &[u8]) {
    for offer in [None, Some("permessage-deflate")] {
        check(input, || {
            let deflate = negotiate(offer);
            Box::new(WebSocket::new(Arc::default(), deflate, Instant::now()))
        });
    }
}

fn check(input: &[u8], handler: impl Fn() -> Box<dyn ProtocolHandler>) {
    let Reads { stream, ranges } = Reads::from_input(input);
    let (received, ended) = run(handler(), [stream]);
    let (in_parts, ended_in_parts) = run(handler(), ranges.into_iter().map(|range| &stream[range]));
    assert_eq!(ended.as_ref().map(discriminant), ended_in_parts.as_ref().map(discriminant));
    // What turns out to be wrong may have been echoed in part.
    if !matches!(ended, Some(Reason::Violation(_))) {
        assert_eq!(received.escape_ascii().to_string(), in_parts.escape_ascii().to_string());
    }
}

/// Passes reads to a handler as a connection does. Returns what the peer receives, and the end.
fn run<'a>(
    mut handler: Box<dyn ProtocolHandler>,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Option<Reason>) {
    let now = Instant::now();
    let (mut held, mut received) = (Vec::new(), Vec::new());
    let attributes = Attributes {
        id: ConnectionId::default(),
        worker: 0,
        user: None,
        peer: "",
        proxy: None,
        local: "",
        listener: "",
        time: UNIX_EPOCH,
        opened_at: now,
        handshake: None,
    };
    handler.begin(&attributes, now);
    for read in reads {
        held.extend_from_slice(read);
        let mut idle_steps = 0;
        while !held.is_empty() {
            let step = handler.receive(&mut held, now);
            assert!(step.echo <= step.consumed && handler.logged() <= step.consumed);
            received.extend_from_slice(&held[..step.echo]);
            held.drain(..step.consumed);
            idle_steps = if step.consumed == 0 { idle_steps + 1 } else { 0 };
            assert!(idle_steps < 3, "the handler makes no progress");
            let Some(reply) = step.reply else { break };
            received.extend_from_slice(&reply.bytes);
            match reply.next {
                Next::Continue | Next::Pause | Next::Wait => {}
                Next::Switch(next) => handler = next,
                Next::Close(reason) => return (received, Some(reason)),
            }
        }
    }
    (received, None)
}
