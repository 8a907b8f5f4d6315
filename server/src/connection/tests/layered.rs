//! Connections with a layer between the wire and the session.

use std::time::{Duration, Instant};

use common::protocol::Protocol;

use super::{END, Harness, ScriptedStream, capture_log, count_lines, lines};
use crate::{
    admission::ConnectionPolicy,
    config::limits,
    connection::{Turn, TurnContext, stage::Stage, turn::Readiness},
    layer::{NewScrambled, ScrambledPeer},
    metrics::{ListenerCounters, WorkerCounters},
    telemetry::{CloseReason, ConnectionEvent, ConnectionId, Recorder, Subject},
};

fn layered(incoming: &[&[u8]]) -> Harness {
    let policy = ConnectionPolicy::for_protocol(Protocol::Text).with_layer(NewScrambled);
    Harness::with_policy(policy, incoming)
}

/// Returns the plaintext that the peer has received, and whether the server has ended its direction of the layer.
fn received(stream: &ScriptedStream) -> (Vec<u8>, bool) {
    ScrambledPeer::received(&stream.outgoing)
}

#[test]
fn every_split_of_the_wire_gives_the_same_plaintext() {
    let wire = ScrambledPeer::encode(b"one\ntwo\nthree", true);
    for first in 0..=wire.len() {
        for second in first..=wire.len() {
            let chunks = [&wire[..first], &wire[first..second], &wire[second..]];
            let chunks: Vec<&[u8]> = chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect();
            let mut harness = layered(&chunks);
            harness.run();
            let (plaintext, has_ended) = received(harness.stream());
            assert_eq!((plaintext.as_slice(), has_ended), (&b"one\ntwo\nthree"[..], true));
            assert!(harness.stream().half_closed, "after the end of the layer's direction");
            assert_eq!(harness.connection.stage, Stage::Lingering, "until the end of the stream");
        }
    }
}

#[test]
fn many_records_of_one_read_are_all_served() {
    let sent: Vec<u8> = (0..1000).flat_map(|number| format!("{number}\n").into_bytes()).collect();
    let wire = ScrambledPeer::encode(&sent, false);
    let mut harness = layered(&[&wire]);
    harness.run();
    assert_eq!(received(harness.stream()), (sent, false));
    let sent = harness.stream().outgoing.len() as u64;
    let receipt = harness.connection.totals;
    assert_eq!(receipt.messages_received, 1000);
    assert_eq!(
        (receipt.bytes_received, receipt.bytes_sent),
        (wire.len() as u64, sent),
        "of the wire"
    );
}

#[test]
fn messages_are_logged_when_their_record_is_sent() {
    let mut harness = layered(&[&ScrambledPeer::encode(b"one\ntwo\n", false)]);
    harness.stream().write_sizes = [1, 4, 0].into();
    capture_log();
    harness.readable();
    assert!(harness.connection.wants_write());
    assert_eq!((count_lines("Received"), count_lines("Echoed")), (2, 0), "{:?}", lines());
    harness.turn();
    assert_eq!(count_lines("Echoed"), 2);
    assert_eq!(received(harness.stream()).0, b"one\ntwo\n");
    assert!(!harness.connection.wants_write());
}

#[test]
fn an_exit_ends_both_the_layer_and_the_stream() {
    let mut harness = layered(&[&ScrambledPeer::encode(b"hello\nexit\nmore\n", false), END]);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(received(harness.stream()), (b"hello\nGoodbye!\n".to_vec(), true));
}

#[test]
fn an_end_of_stream_without_the_end_of_the_layer_is_a_truncation() {
    let mut harness = layered(&[&ScrambledPeer::encode(b"hello", false), END]);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(received(harness.stream()), (b"hello".to_vec(), true), "the echo still arrives");
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Truncated));
}

#[test]
fn a_peer_that_breaks_the_rules_of_the_layer_is_logged_and_ends() {
    let mut harness = layered(&[b"GET / HTTP/1.1\r\n", END]);
    capture_log();
    assert_eq!(harness.run(), Turn::Over);
    let line = "Client 127.0.0.1:54321 sent no TLS handshake, which this listener requires; the \
                received bytes begin with 'GET / HTTP/1.1\\r\\n'; let the client use TLS, or add a listener \
                tcp://HOST:PORT";
    assert_eq!(count_lines(line), 1, "{:?}", lines());
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Handshake));
}

#[test]
fn a_drain_counts_the_bytes_of_the_wire() {
    let wire = ScrambledPeer::encode(b"served\n", false);
    let mut harness = layered(&[&wire]);
    harness.connection.drain();
    let later = ScrambledPeer::encode(b"not served\n", false)[1..].to_vec();
    harness.stream().incoming.push_back(Ok(later));
    while harness.turn() == Turn::Again {}
    assert_eq!(received(harness.stream()), (b"served\n".to_vec(), true));
    assert!(harness.stream().half_closed);
}

#[test]
fn a_short_read_of_the_wire_empties_the_socket_however_much_plaintext_it_gives() {
    let wire = ScrambledPeer::encode(b"a\n", false);
    let mut harness = layered(&[&wire, b"not read yet"]);
    harness.connection.set_ready(Readiness { readable: true, has_more: false });
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.stream().incoming.len(), 1);
}

#[test]
fn a_handshake_may_follow_a_proxy_header_in_the_same_read() {
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n";
    let wire = [&header[..], &ScrambledPeer::encode(b"hello\n", false)].concat();
    for at in 1..wire.len() {
        let policy =
            ConnectionPolicy::for_protocol(Protocol::Text).with_layer(NewScrambled).with_proxy();
        let mut harness = Harness::with_policy(policy, &[&wire[..at], &wire[at..]]);
        harness.run();
        assert_eq!(received(harness.stream()).0, b"hello\n", "split at {at}");
        assert_eq!(harness.connection.subject().peer, "192.0.2.1:1000");
    }
}

#[test]
fn one_deadline_covers_the_handshake_and_the_header_before_it() {
    let policy = ConnectionPolicy::for_protocol(Protocol::Text).with_layer(NewScrambled);
    let mut plain = Harness::with_policy(policy, &[]);
    let end = plain.now + limits::TLS_HANDSHAKE_TIMEOUT;
    assert_eq!(plain.connection.deadline(), Some(end));
    plain.stream().incoming.push_back(Ok(b"?".to_vec()));
    plain.readable();
    assert_eq!(plain.connection.stage, Stage::Serving);
    let policy =
        ConnectionPolicy::for_protocol(Protocol::Text).with_layer(NewScrambled).with_proxy();
    let mut proxied = Harness::with_policy(policy, &[b"PROXY UNKNOWN\r\n"]);
    let (header, end) =
        (proxied.now + limits::PROXY_TIMEOUT, proxied.now + limits::TLS_HANDSHAKE_TIMEOUT);
    assert_eq!(proxied.connection.deadline(), Some(header));
    proxied.now += Duration::from_secs(1);
    proxied.readable();
    assert_eq!(proxied.connection.stage, Stage::Handshake);
    assert_eq!(proxied.connection.deadline(), Some(end), "a late header buys no more time");
}

#[test]
fn a_handshake_that_takes_too_long_is_logged_and_ends() {
    let mut harness = layered(&[]);
    capture_log();
    harness.now += limits::TLS_HANDSHAKE_TIMEOUT;
    let telemetry = Recorder::new(0, &harness.counters, true);
    assert_eq!(harness.connection.expire(harness.now, &telemetry), Turn::Over);
    assert_eq!(
        lines(),
        ["The TLS handshake with 127.0.0.1:54321 failed: it was not complete after 10s"]
    );
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Handshake));
}

#[test]
fn failed_handshakes_are_all_counted_and_few_of_them_logged() {
    let counters = WorkerCounters::default();
    let telemetry = Recorder::new(0, &counters, true);
    let listener = ListenerCounters::default();
    let subject = Subject { id: ConnectionId::default(), peer: "peer", counters: &listener };
    let event = ConnectionEvent::HandshakeTimedOut { after: Duration::from_secs(1) };
    capture_log();
    let now = Instant::now();
    let times = [now, now, now, now + limits::LOG_THROTTLE];
    assert_eq!(
        times.map(|now| telemetry.record_throttled(subject, event, now)),
        [true, false, false, true]
    );
    assert_eq!(listener.handshakes.timed_out.get(), 4);
    assert!(
        lines()[1].ends_with("(2 more failures of TLS since the last such line)"),
        "{:?}",
        lines()
    );
}

/// A scanner that does not close its connection must not defeat the limit on the log.
#[test]
fn a_failure_that_is_not_logged_stays_out_of_the_log_while_it_lingers() {
    // Before the end of the handshake, and after it.
    for wire in [b"GET / HTTP/1.1\r\n".as_slice(), b"?\xff\xff"] {
        let mut harness = layered(&[wire]);
        let (now, counters) = (harness.now, WorkerCounters::default());
        let telemetry = after_a_failure(&counters, now);
        harness.connection.set_ready(Readiness { readable: true, has_more: false });
        let mut context = TurnContext { buffer: &mut harness.buffer, telemetry: &telemetry, now };
        assert_eq!(harness.connection.turn(&mut context), Turn::Wait);
        assert_eq!(harness.connection.stage, Stage::Lingering);
        let end = now + limits::LINGER;
        assert_eq!(harness.connection.deadline(), Some(end), "it is no probe that may be a client");
        assert_eq!(harness.connection.expire(now + limits::PROBE_TIME, &telemetry), Turn::Wait);
        assert_eq!(harness.connection.expire(end, &telemetry), Turn::Over);
        harness.connection.close(end, &telemetry);
        assert!(lines().is_empty(), "{:?}", lines());
    }
}

#[test]
fn the_end_of_a_logged_connection_is_logged_even_if_its_failure_is_not() {
    let mut harness = layered(&[&ScrambledPeer::encode(b"hello\n", false), b"\xff\xff"]);
    let (now, counters) = (harness.now, WorkerCounters::default());
    let telemetry = after_a_failure(&counters, now);
    harness.connection.set_ready(Readiness { readable: true, has_more: true });
    let mut context = TurnContext { buffer: &mut harness.buffer, telemetry: &telemetry, now };
    while harness.connection.turn(&mut context) == Turn::Again {}
    assert_eq!(harness.connection.close_reason, Some(CloseReason::LayerError));
    harness.connection.close(now, &telemetry);
    assert_eq!(count_lines("TLS with"), 0, "{:?}", lines());
    assert_eq!(count_lines("New client connected: "), 1, "{:?}", lines());
    assert_eq!(count_lines("Connection with 127.0.0.1:54321 closed"), 1, "{:?}", lines());
}

#[test]
fn nothing_follows_a_failure_after_the_handshake() {
    let mut harness = layered(&[b"?\xff\xff", END]);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(received(harness.stream()), (Vec::new(), false), "the end would look clean");
}

/// Returns a recorder that has just logged the failure of another connection. Captures the log from here on.
fn after_a_failure(counters: &WorkerCounters, now: Instant) -> Recorder<'_> {
    let telemetry = Recorder::new(0, counters, true);
    let listener = ListenerCounters::default();
    let another = Subject { id: ConnectionId::default(), peer: "another", counters: &listener };
    telemetry.record_throttled(another, ConnectionEvent::UnexpectedTls, now);
    capture_log();
    telemetry
}
