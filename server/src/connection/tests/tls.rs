//! Connections over TLS, each with a client in memory. The simulation has those under random schedules.

use std::{sync::Arc, time::Duration};

use common::protocol::Protocol;
use rustls::version::{TLS12, TLS13};

use super::{END, Harness, capture_log, count_lines, lines};
use crate::{
    admission::ConnectionPolicy,
    connection::{Turn, stage::Stage},
    telemetry::{CloseReason, Recorder},
    tls::{Client, NewTls, TestCa},
};

const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection and its client.
struct Pair {
    harness: Harness,
    client: Client,
}

impl Pair {
    fn new() -> Self {
        Self::with(TestCa::get().client(None))
    }

    fn with(client: rustls::ClientConfig) -> Self {
        let server = TestCa::get().server(&[&TLS12, &TLS13]);
        let policy = ConnectionPolicy::for_protocol(Protocol::Text)
            .with_layer(NewTls(Arc::new(server)))
            .with_timeouts(Some(IDLE_TIMEOUT), None);
        Self { harness: Harness::with_policy(policy, &[]), client: Client::new(&Arc::new(client)) }
    }

    /// Passes bytes in both directions until there are none.
    fn settle(&mut self) {
        loop {
            let wire = self.client.wire();
            let is_silent = wire.is_empty();
            if !is_silent {
                self.harness.stream().incoming.push_back(Ok(wire));
            }
            while self.harness.readable() == Turn::Again {}
            let answer = std::mem::take(&mut self.harness.stream().outgoing);
            self.client.receive(&answer).expect("the client accepts what the server sends");
            if is_silent && answer.is_empty() && !self.harness.connection.wants_write() {
                break;
            }
        }
    }
}

#[test]
fn the_end_of_the_clients_direction_ends_its_direction_only() {
    let mut pair = Pair::new();
    pair.settle();
    let sent = b"a line of text\n".repeat(20_000);
    pair.client.write(&sent);
    pair.client.connection.send_close_notify();
    pair.harness.stream().write_sizes = [100, 0, 5000, 0].into();
    pair.settle();
    assert!(pair.client.received == sent && pair.client.has_ended);
    assert!(pair.harness.stream().half_closed, "after the end of the layer");
    assert_eq!(pair.harness.connection.stage, Stage::Lingering);
    assert_eq!(pair.harness.connection.close_reason, Some(CloseReason::Fin));
}

#[test]
fn a_stream_that_ends_without_a_close_notify_is_truncated() {
    let mut pair = Pair::new();
    pair.client.write(b"hello\n");
    pair.settle();
    pair.harness.stream().incoming.extend([Ok(END.to_vec())]);
    assert_eq!(pair.harness.readable(), Turn::Over);
    let answer = std::mem::take(&mut pair.harness.stream().outgoing);
    pair.client.receive(&answer).unwrap();
    assert!(pair.client.has_ended);
    assert_eq!(pair.harness.connection.close_reason, Some(CloseReason::Truncated));
}

#[test]
fn an_exit_is_answered_and_nothing_follows_the_end() {
    let mut pair = Pair::new();
    pair.client.write(b"hello\nexit\nmore\n");
    pair.settle();
    assert_eq!(pair.client.received, b"hello\nGoodbye!\n");
    assert!(pair.client.has_ended);
}

#[test]
fn a_client_is_logged_with_its_handshake_at_its_first_byte() {
    let mut pair = Pair::with(TestCa::get().client(Some("alice")));
    capture_log();
    pair.settle();
    assert!(lines().is_empty(), "it may be a health check: {:?}", lines());
    pair.client.write(b"hello\n");
    pair.settle();
    assert_eq!(lines()[0], "New client connected: 127.0.0.1:54321");
    assert_eq!(
        lines()[1],
        "TLS handshake with 127.0.0.1:54321: TLS 1.3, TLS_AES_256_GCM_SHA384, X25519MLKEM768, \
         server name localhost, client CN=alice"
    );
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_handshake_is_logged_and_gets_no_close_notify() {
    let mut pair = Pair::new();
    capture_log();
    let hello = pair.client.wire();
    pair.harness.stream().incoming.extend([Ok(hello[..100].to_vec()), Ok(END.to_vec())]);
    assert_eq!(pair.harness.run(), Turn::Over);
    let line = "The TLS handshake with 127.0.0.1:54321 failed: it disconnected before the end";
    assert_eq!(count_lines(line), 1, "{:?}", lines());
    assert!(pair.harness.stream().outgoing.is_empty(), "{:?}", pair.harness.stream().outgoing);
}

#[test]
fn a_corrupt_record_behind_the_end_of_the_handshake_is_no_failed_handshake() {
    let mut pair = Pair::new();
    let hello = pair.client.wire();
    pair.harness.stream().incoming.push_back(Ok(hello));
    pair.harness.readable();
    let answer = std::mem::take(&mut pair.harness.stream().outgoing);
    pair.client.receive(&answer).unwrap();
    pair.client.write(b"hello\n");
    let mut end_and_record = pair.client.wire();
    *end_and_record.last_mut().unwrap() ^= 1;
    pair.harness.stream().incoming.push_back(Ok(end_and_record));
    pair.harness.readable();
    assert_eq!(pair.harness.connection.close_reason, Some(CloseReason::LayerError));
}

#[test]
fn a_connection_without_a_byte_is_no_failed_handshake() {
    let mut pair = Pair::new();
    capture_log();
    pair.harness.stream().incoming.extend([Ok(END.to_vec())]);
    assert_eq!(pair.harness.readable(), Turn::Over);
    assert!(lines().is_empty(), "{:?}", lines());
    assert!(pair.harness.stream().outgoing.is_empty());
}

#[test]
fn a_draining_server_serves_what_it_has_received_and_ends_the_layer() {
    let mut pair = Pair::new();
    pair.settle();
    pair.client.write(b"served\n");
    let wire = pair.client.wire();
    pair.harness.stream().incoming.push_back(Ok(wire));
    pair.harness.connection.drain();
    pair.settle();
    assert_eq!(pair.client.received, b"served\n");
    assert!(pair.client.has_ended && pair.harness.stream().half_closed);
}

#[test]
fn an_idle_client_is_told_that_the_stream_ends() {
    let mut pair = Pair::new();
    pair.client.write(b"hello\n");
    pair.settle();
    pair.harness.now += IDLE_TIMEOUT;
    let telemetry = Recorder::new(0, &pair.harness.counters, true);
    assert_eq!(pair.harness.connection.expire(pair.harness.now, &telemetry), Turn::Over);
    let answer = std::mem::take(&mut pair.harness.stream().outgoing);
    pair.client.receive(&answer).unwrap();
    assert!(pair.client.has_ended, "it cannot take the end for a truncation");
    assert_eq!(pair.harness.connection.close_reason, Some(CloseReason::IdleTimeout));
}
