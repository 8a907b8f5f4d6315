//! The receipt of a connection in the log: its text, and what it costs.

use common::protocol::Protocol;

use super::{END, Harness, capture_log, lines};
use crate::{
    admission::ConnectionPolicy,
    config::LogReceipts,
    layer::{NewScrambled, ScrambledPeer},
    telemetry::{Recorder, Recording, TcpInfo},
};

/// Serves a client that sends two lines and ends its stream. Returns the line about its close, and how often the kernel's
/// figures were read.
fn close(policy: ConnectionPolicy, incoming: &[&[u8]], receipts: LogReceipts) -> (String, u32) {
    let mut harness = Harness::with_policy(policy, incoming);
    let info = TcpInfo { rtt_us: Some(45), retransmits: 2, ..TcpInfo::default() };
    harness.stream().tcp_info = Some(info);
    let reads = harness.stream().tcp_info_reads.clone();
    capture_log();
    harness.run();
    let Harness { connection, counters, now, .. } = harness;
    let recording = Recording::from(true).with_receipts(receipts);
    connection.close(now, &Recorder::new(0, &counters, recording));
    (lines().pop().unwrap_or_default(), reads.get())
}

fn text() -> ConnectionPolicy {
    ConnectionPolicy::for_protocol(Protocol::Text)
}

#[test]
fn without_receipts_the_line_is_the_original_and_the_kernel_is_not_asked() {
    let closed = "Connection with 127.0.0.1:54321 closed".to_owned();
    assert_eq!(close(text(), &[b"one\ntwo\n", END], LogReceipts::Totals), (closed.clone(), 0));
    assert_eq!(close(text(), &[b"one\ntwo\n", END], LogReceipts::Fields), (closed, 1));
}

#[test]
fn with_receipts_the_line_says_what_the_connection_was() {
    let expected = "Connection with 127.0.0.1:54321 closed: by the client (fin) after 0.000 s; \
                    received 8 bytes in 2 messages, sent 8 bytes in 2 messages; listener 127.0.0.1:0, protocol text; \
                    RTT 45 us, 2 retransmits";
    assert_eq!(close(text(), &[b"one\ntwo\n", END], LogReceipts::Text), (expected.to_owned(), 1));
}

#[test]
fn a_receipt_names_the_layers_in_order_from_the_socket() {
    let policy = text().with_proxy().with_layer(NewScrambled);
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    let layered = ScrambledPeer::encode(b"hello\n", true);
    let (line, _) = close(policy, &[header, &layered, END], LogReceipts::Text);
    assert!(line.contains("protocol text, layers proxy,tls; "), "{line}");
}

/// A probe has no line, so nobody would see its figures.
#[test]
fn the_kernel_is_not_asked_about_a_probe() {
    assert_eq!(close(text(), &[END], LogReceipts::Text), (String::new(), 0));
}
