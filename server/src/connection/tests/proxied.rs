//! Connections through a proxy, until the PROXY header is complete and after it.

use super::*;
use crate::admission::{LimitReached, Permit};

const LINE: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 65432\r\n";
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x13\x88\xff\x98";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const SOURCE: &str = "203.0.113.7:5000";

/// Returns a connection through a proxy, and captures its log lines.
fn proxied(protocol: Protocol, incoming: &[&[u8]]) -> Harness {
    capture_log();
    Harness::with_policy(ConnectionPolicy::for_protocol(protocol).with_proxy(), incoming)
}

/// Returns a connection through a proxy with a limit on connections per source.
fn limited(max: usize, incoming: &[&[u8]]) -> Harness {
    capture_log();
    let limits =
        ConnectionLimits::new(&Config { max_connections_per_ip: Some(max), ..Config::default() });
    let policy = ConnectionPolicy::for_protocol(Protocol::Text).with_proxy();
    Harness::with_limits(limits, policy, incoming)
}

/// Admits another connection from the source in the headers.
fn admit_source(harness: &Harness) -> Result<Permit, LimitReached> {
    let policy = Arc::new(ConnectionPolicy::for_protocol(Protocol::Text));
    harness.limits.admit(&policy, Some([203, 0, 113, 7].into()))
}

fn expire(harness: &mut Harness, after: Duration) -> Turn {
    let telemetry = Recorder::new(0, &harness.counters, true);
    harness.connection.expire(harness.now + after, &telemetry)
}

#[test]
fn a_header_split_at_every_byte_is_followed_by_the_same_session() {
    for header in [LINE, BINARY] {
        let all = [header, b"hello\n"].concat();
        for at in 1..all.len() {
            let mut harness = proxied(Protocol::Text, &[&all[..at], &all[at..], END]);
            assert_eq!(harness.run(), Turn::Over);
            assert_eq!(harness.stream().outgoing, b"hello\n", "split at {at}");
            assert_eq!(lines()[0], format!("New client connected: {SOURCE} (through {PEER})"));
            assert!(
                lines()[1].starts_with(&format!("Received from {SOURCE}: 'h")),
                "{:?}",
                lines()
            );
            assert_eq!(harness.connection.subject().peer, SOURCE);
        }
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        let mut harness = proxied(Protocol::Text, &bytes);
        harness.run();
        assert_eq!(harness.stream().outgoing, b"hello\n");
    }
}

#[test]
fn bytes_after_the_header_in_one_read_are_served_like_a_separate_read() {
    // Without a newline, `exit` ends the session only as a single read.
    let mut harness = proxied(Protocol::Text, &[&[LINE, b"exit"].concat()]);
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"Goodbye!");
    assert_eq!(harness.connection.counters.consumed.get(), 4);
    let received = LINE.len() + 4;
    assert_eq!(harness.connection.counters.bytes_received.get(), received as u64);

    let mut harness =
        proxied(Protocol::Length, &[&[BINARY, b"\0\0\0\x05he"].concat(), b"llo", END]);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(harness.stream().outgoing, b"\0\0\0\x05hello");
}

#[test]
fn a_header_is_echoed_by_a_listener_that_requires_none() {
    let mut harness = Harness::new(Protocol::Raw, &[LINE, END]);
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(harness.stream().outgoing, LINE);
}

#[test]
fn a_header_without_a_source_leaves_the_proxy_as_the_peer() {
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let mut harness = limited(1, &[&[header, b"hello\n"].concat(), END]);
        harness.run();
        assert_eq!(harness.stream().outgoing, b"hello\n");
        assert_eq!(lines()[0], format!("New client connected: {PEER}"));
        let (policy, source) = (harness.connection.permit.policy(), PEER.ip());
        assert_eq!((policy.source_of(&PEER), source.is_some()), (None, true));
        assert!(admit_source(&harness).is_ok(), "no source is counted");
    }
}

#[test]
fn a_client_that_sends_or_stays_is_logged_and_a_probe_of_the_proxy_is_not() {
    for header in [LINE, LOCAL] {
        let mut harness = proxied(Protocol::Text, &[header, END]);
        assert_eq!(harness.run(), Turn::Over);
        assert!(!harness.connection.is_logged);
        assert_eq!(lines(), Vec::<String>::new());
    }
    let mut harness = proxied(Protocol::Text, &[LINE]);
    harness.now += 2 * limits::PROBE_TIME;
    harness.readable();
    assert_eq!(harness.connection.deadline(), Some(harness.now + limits::PROBE_TIME));
    assert_eq!(expire(&mut harness, limits::PROBE_TIME), Turn::Wait);
    assert_eq!(lines(), [format!("New client connected: {SOURCE} (through {PEER})")]);
}

#[test]
fn bytes_that_cannot_become_a_header_are_refused_immediately() {
    for (chunks, message) in [
        (
            &[&b"GET / HTTP/1.1\r\n"[..]][..],
            "sent no PROXY header, which this listener requires; the received bytes begin with 'GET / HTTP/1.1\\r\\n'",
        ),
        (
            &[b"P", b"RO", b"B"],
            "sent no PROXY header, which this listener requires; the received bytes begin with 'PROB'",
        ),
        (
            &[b"PROXY TCP4 1.2.3.4 5.6.7.8 1 070\r\nhello"],
            "sent an invalid PROXY header: '070' is not a port; the received bytes begin with 'PROXY TCP4 1.2.3.4 5.6.7.8 1 070\\r\\nhello'",
        ),
        (
            &[b"\r\n\r\n\0\r\nQUIT\n\x31"],
            "sent an invalid PROXY header: it is binary and its version is 3; the only binary version is 2; the received bytes begin with '\\r\\n\\r\\n\\x00\\r\\nQUIT\\n1'",
        ),
    ] {
        let mut harness = proxied(Protocol::Text, chunks);
        for _ in 1..chunks.len() {
            assert_eq!(harness.readable(), Turn::Wait);
        }
        assert_eq!(harness.readable(), Turn::Over);
        assert_eq!(harness.stream().outgoing, b"", "nothing is echoed");
        assert_eq!(lines(), [format!("Client {PEER} {message}")]);
        assert_eq!(harness.connection.counters.proxy_headers_refused.sum(), 1);
    }
}

#[test]
fn the_log_shows_only_the_beginning_of_bytes_that_are_not_a_header() {
    let mut harness = proxied(Protocol::Text, &[&vec![b'x'; limits::READ_BUFFER]]);
    assert_eq!(harness.readable(), Turn::Over);
    assert!(lines()[0].ends_with(&format!("'{}'", "x".repeat(limits::PROXY_SHOWN))));
}

#[test]
fn an_incomplete_header_is_refused_at_the_timeout_however_slowly_it_arrives() {
    for (chunks, beginning) in
        [(&[][..], ""), (&[&b"PRO"[..], b"XY"], "; the received bytes begin with 'PROXY'")]
    {
        let mut harness = proxied(Protocol::Text, chunks);
        let start = harness.now;
        for _ in chunks {
            harness.now += limits::PROXY_TIMEOUT / 4;
            assert_eq!(harness.readable(), Turn::Wait);
        }
        assert_eq!(harness.connection.unsent(), 0, "a header is not echoed");
        assert_eq!(harness.connection.deadline(), Some(start + limits::PROXY_TIMEOUT));
        harness.now = start;
        assert_eq!(expire(&mut harness, limits::PROXY_TIMEOUT / 2), Turn::Wait);
        assert_eq!(lines(), Vec::<String>::new(), "the client is still unknown");
        assert_eq!(expire(&mut harness, limits::PROXY_TIMEOUT), Turn::Over);
        let message = format!(
            "Client {PEER} sent no complete PROXY header within 5s, which this listener requires{beginning}"
        );
        assert_eq!(lines(), [message]);
    }
}

/// A network load balancer sends the header with the first bytes of its client, which may be long after the
/// connection.
#[test]
fn without_a_proxy_timeout_the_idle_timeout_limits_the_wait_for_a_header() {
    let policy = |idle| {
        let mut policy = ConnectionPolicy::for_protocol(Protocol::Text).with_proxy();
        (policy.options.proxy_timeout, policy.options.idle_timeout) = (None, idle);
        policy
    };
    capture_log();
    let harness = Harness::with_policy(policy(None), &[]);
    assert_eq!(harness.connection.deadline(), None);
    let idle = Duration::from_mins(5);
    let mut harness = Harness::with_policy(policy(Some(idle)), &[]);
    assert_eq!(expire(&mut harness, idle / 2), Turn::Wait);
    assert_eq!(expire(&mut harness, idle), Turn::Over);
    assert_eq!(lines(), [format!("Client {PEER} timed out: idle for 5m")]);
    assert_eq!(
        harness.connection.counters.proxy_headers_refused.sum(),
        0,
        "an idle client is not a fault of the proxy"
    );
}

#[test]
fn an_end_within_the_header_is_logged_and_one_before_it_is_a_probe() {
    let reset = || Err(io::ErrorKind::ConnectionReset.into());
    for end in [|| Ok(END.to_vec()), reset] {
        for at in 1..LINE.len() {
            let mut harness = proxied(Protocol::Text, &[&LINE[..at]]);
            harness.stream().incoming.push_back(end());
            assert_eq!(harness.run(), Turn::Over);
            assert_eq!(harness.stream().outgoing, b"");
            let incomplete = format!(
                "Client {PEER} disconnected before its PROXY header was complete; the received bytes begin with"
            );
            assert_eq!((count_lines(&incomplete), lines().len()), (1, 1), "{:?}", lines());
        }
        let mut harness = proxied(Protocol::Text, &[]);
        harness.stream().incoming.push_back(end());
        assert_eq!(harness.run(), Turn::Over);
        assert!(!harness.connection.is_logged);
        assert_eq!(lines(), Vec::<String>::new());
    }
}

#[test]
fn a_drain_counts_the_header_as_received_bytes() {
    let all = [LINE, b"hello\n"].concat();
    for at in 0..=all.len() {
        for read_before in [false, true] {
            let mut harness = proxied(Protocol::Raw, &[&all[..at]]);
            if read_before && at > 0 {
                harness.readable();
            }
            harness.connection.drain();
            harness.stream().incoming.push_back(Ok(all[at..].to_vec()));
            harness
                .stream()
                .incoming
                .retain(|chunk| chunk.as_ref().is_ok_and(|chunk| !chunk.is_empty()));
            assert_eq!(harness.turn(), Turn::Wait);
            let served = &all[LINE.len().min(at)..at];
            assert_eq!(harness.stream().outgoing, served, "drained with {at} bytes received");
            assert!(harness.stream().half_closed);
            assert_eq!(harness.connection.unsent(), 0);
        }
    }
}

#[test]
fn the_limit_per_source_counts_the_client_and_not_the_proxy() {
    let mut first = limited(1, &[LINE]);
    assert!(admit_source(&first).is_ok(), "the source is unknown before the header");
    first.readable();
    assert_eq!(admit_source(&first).unwrap_err(), LimitReached::Source(1));
    let Harness { connection, limits, .. } = first;
    drop(connection);
    assert!(limits.is_empty());
}

#[test]
fn a_source_over_the_limit_receives_the_reason_and_is_not_served() {
    let reply =
        b"Server is full: it serves 1 connection from one address at most. Try again later.\r\n";
    for taken in [reply.len(), 5] {
        let mut harness = limited(1, &[&[LINE, b"hello\n"].concat(), b"more\n", END]);
        let other = admit_source(&harness).unwrap();
        harness.stream().write_sizes = [taken, 0].into();
        while harness.readable() != Turn::Over {}
        assert_eq!(harness.stream().outgoing, reply);
        assert!(!harness.stream().incoming.is_empty(), "the rest is not read");
        let refused = format!("Refused {SOURCE}: at the limit of 1 connection from one address");
        assert_eq!(lines(), [refused]);
        assert_eq!(harness.connection.counters.refused.sum(), 1);
        let Harness { connection, limits, .. } = harness;
        drop(connection);
        assert_eq!(limits.open(), 1, "a refused source is not counted, and not released");
        drop(other);
        assert!(limits.is_empty());
    }
}

#[test]
fn a_unix_socket_as_the_source_is_logged_and_not_counted() {
    let mut addresses = [0; 216];
    addresses[..9].copy_from_slice(b"/tmp/\na b");
    let header = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8"[..], &addresses].concat();
    let mut harness = limited(1, &[&[&header[..], b"hello\n"].concat()]);
    harness.readable();
    assert_eq!(harness.stream().outgoing, b"hello\n");
    let connected = format!(r"New client connected: unix:///tmp/\na\x20b (through {PEER})");
    assert_eq!(lines()[0], connected);
    assert!(admit_source(&harness).is_ok());
}
