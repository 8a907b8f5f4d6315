//! Connections through a proxy: until the header is whole, and from then on.

use super::*;

const LINE: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 65432\r\n";
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x13\x88\xff\x98";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const SOURCE: &str = "203.0.113.7:5000";

/// Through a proxy, with its log lines kept.
fn proxied(protocol: Protocol, incoming: &[&[u8]]) -> Bench {
    listen();
    Bench::on(ConnectionPolicy::of(protocol).behind_proxy(), incoming)
}

/// The same, where one source may have so many connections.
fn limited(most: usize, incoming: &[&[u8]]) -> Bench {
    let mut bench = proxied(Protocol::Text, incoming);
    bench.open =
        ConnectionLimits::new(&Config { max_connections_per_ip: Some(most), ..Config::default() });
    let policy = bench.connection.policy();
    bench.open.acquire(policy, bench.connection.ip()).unwrap();
    bench
}

fn expire(bench: &mut Bench, after: Duration) -> Turn {
    let telemetry = ConnectionEvents::new(&bench.counters, true);
    bench.connection.expire(bench.now + after, &telemetry)
}

#[test]
fn a_header_split_at_every_byte_is_followed_by_the_same_session() {
    for header in [LINE, BINARY] {
        let all = [header, b"hello\n"].concat();
        for at in 1..all.len() {
            let mut bench = proxied(Protocol::Text, &[&all[..at], &all[at..], END]);
            assert_eq!(bench.run(), Turn::Over);
            assert_eq!(bench.stream().outgoing, b"hello\n", "split at {at}");
            assert_eq!(lines()[0], format!("New client connected: {SOURCE} (through {PEER})"));
            assert!(
                lines()[1].starts_with(&format!("Received from {SOURCE}: 'h")),
                "{:?}",
                lines()
            );
            assert_eq!(bench.connection.peer(), SOURCE);
        }
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        let mut bench = proxied(Protocol::Text, &bytes);
        bench.run();
        assert_eq!(bench.stream().outgoing, b"hello\n");
    }
}

#[test]
fn what_comes_behind_the_header_in_one_read_is_served_as_if_it_came_alone() {
    // An exit without a newline is one only as a read of its own.
    let mut bench = proxied(Protocol::Text, &[&[LINE, b"exit"].concat()]);
    assert_eq!(bench.readable(), Turn::Wait);
    assert_eq!(bench.stream().outgoing, b"Goodbye!");
    assert_eq!(bench.counters.bytes_received.get(), 4);

    let mut bench = proxied(Protocol::Length, &[&[BINARY, b"\0\0\0\x05he"].concat(), b"llo", END]);
    assert_eq!(bench.run(), Turn::Over);
    assert_eq!(bench.stream().outgoing, b"\0\0\0\x05hello");
}

#[test]
fn a_header_is_echoed_where_none_is_asked_for() {
    let mut bench = Bench::new(Protocol::Raw, &[LINE, END]);
    assert_eq!(bench.run(), Turn::Over);
    assert_eq!(bench.stream().outgoing, LINE);
}

#[test]
fn whom_the_proxy_speaks_for_itself_is_the_proxy() {
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let mut bench = limited(1, &[&[header, b"hello\n"].concat(), END]);
        assert_eq!(bench.connection.ip(), None);
        bench.run();
        assert_eq!(bench.stream().outgoing, b"hello\n");
        assert_eq!(lines()[0], format!("New client connected: {PEER}"));
        assert_eq!(bench.connection.ip(), None);
    }
}

#[test]
fn a_client_is_known_when_it_speaks_or_stays_and_a_probe_of_the_proxy_is_not() {
    for header in [LINE, LOCAL] {
        let mut bench = proxied(Protocol::Text, &[header, END]);
        assert_eq!(bench.run(), Turn::Over);
        assert!(!bench.connection.is_logged());
        assert_eq!(lines(), Vec::<String>::new());
    }
    let mut bench = proxied(Protocol::Text, &[LINE]);
    bench.now += 2 * limits::PROBE_TIME;
    bench.readable();
    assert_eq!(bench.connection.deadline(), Some(bench.now + limits::PROBE_TIME));
    assert_eq!(expire(&mut bench, limits::PROBE_TIME), Turn::Wait);
    assert_eq!(lines(), [format!("New client connected: {SOURCE} (through {PEER})")]);
}

#[test]
fn what_is_no_header_is_refused_at_the_byte_that_shows_it() {
    for (pieces, says) in [
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
        let mut bench = proxied(Protocol::Text, pieces);
        for _ in 1..pieces.len() {
            assert_eq!(bench.readable(), Turn::Wait);
        }
        assert_eq!(bench.readable(), Turn::Over);
        assert_eq!(bench.stream().outgoing, b"", "nothing is echoed");
        assert_eq!(lines(), [format!("Client {PEER} {says}")]);
        assert_eq!(bench.counters.refused.get(), 1);
    }
}

#[test]
fn of_much_that_is_no_header_little_is_logged() {
    let mut bench = proxied(Protocol::Text, &[&vec![b'x'; limits::READ_BUFFER]]);
    assert_eq!(bench.readable(), Turn::Over);
    assert!(lines()[0].ends_with(&format!("'{}'", "x".repeat(limits::PROXY_SHOWN))));
}

#[test]
fn a_header_that_takes_too_long_is_not_waited_for_however_it_trickles() {
    for (pieces, began) in
        [(&[][..], ""), (&[&b"PRO"[..], b"XY"], "; the received bytes begin with 'PROXY'")]
    {
        let mut bench = proxied(Protocol::Text, pieces);
        let start = bench.now;
        for _ in pieces {
            bench.now += limits::PROXY_TIMEOUT / 4;
            assert_eq!(bench.readable(), Turn::Wait);
        }
        assert_eq!(bench.connection.unsent(), 0, "a header is no echo that is owed");
        assert_eq!(bench.connection.deadline(), Some(start + limits::PROXY_TIMEOUT));
        bench.now = start;
        assert_eq!(expire(&mut bench, limits::PROXY_TIMEOUT / 2), Turn::Wait);
        assert_eq!(lines(), Vec::<String>::new(), "whose it is nobody knows");
        assert_eq!(expire(&mut bench, limits::PROXY_TIMEOUT), Turn::Over);
        let said = format!(
            "Client {PEER} sent no complete PROXY header within 5s, which this listener requires{began}"
        );
        assert_eq!(lines(), [said]);
    }
}

#[test]
fn an_end_within_the_header_is_told_and_one_before_it_is_a_probe() {
    let reset = || Err(io::ErrorKind::ConnectionReset.into());
    for end in [|| Ok(END.to_vec()), reset] {
        for at in 1..LINE.len() {
            let mut bench = proxied(Protocol::Text, &[&LINE[..at]]);
            bench.stream().incoming.push_back(end());
            assert_eq!(bench.run(), Turn::Over);
            assert_eq!(bench.stream().outgoing, b"");
            let cut = format!(
                "Client {PEER} disconnected before its PROXY header was complete; the received bytes begin with"
            );
            assert_eq!((heard(&cut), lines().len()), (1, 1), "{:?}", lines());
        }
        let mut bench = proxied(Protocol::Text, &[]);
        bench.stream().incoming.push_back(end());
        assert_eq!(bench.run(), Turn::Over);
        assert!(!bench.connection.is_logged());
        assert_eq!(lines(), Vec::<String>::new());
    }
}

#[test]
fn a_drain_counts_the_header_among_what_was_received() {
    let all = [LINE, b"hello\n"].concat();
    for at in 0..=all.len() {
        for read_before in [false, true] {
            let mut bench = proxied(Protocol::Raw, &[&all[..at]]);
            if read_before && at > 0 {
                bench.readable();
            }
            bench.connection.drain();
            bench.stream().incoming.push_back(Ok(all[at..].to_vec()));
            bench
                .stream()
                .incoming
                .retain(|piece| piece.as_ref().is_ok_and(|piece| !piece.is_empty()));
            assert_eq!(bench.turn(), Turn::Wait);
            let served = &all[LINE.len().min(at)..at];
            assert_eq!(bench.stream().outgoing, served, "drained when {at} bytes had come");
            assert!(bench.stream().half_closed);
            assert_eq!(bench.connection.unsent(), 0);
        }
    }
}

#[test]
fn the_source_is_counted_when_it_is_known_and_not_the_proxy() {
    let mut first = limited(1, &[LINE]);
    assert_eq!(first.connection.ip(), None);
    first.readable();
    let ip = Some([203, 0, 113, 7].into());
    assert_eq!(first.connection.ip(), ip);
    assert!(first.open.admit_source(ip).is_err(), "it is counted");
    first.open.release(first.connection.policy(), first.connection.ip());
    assert!(first.open.is_empty());
}

#[test]
fn a_source_over_the_limit_is_told_and_not_served() {
    let said =
        b"Server is full: it serves 1 connection from one address at most. Try again later.\r\n";
    for taken in [said.len(), 5] {
        let mut bench = limited(1, &[&[LINE, b"hello\n"].concat(), b"more\n", END]);
        bench.open.admit_source(Some([203, 0, 113, 7].into())).unwrap();
        bench.stream().takes = [taken, 0].into();
        while bench.readable() != Turn::Over {}
        assert_eq!(bench.stream().outgoing, said);
        assert!(!bench.stream().incoming.is_empty(), "it is not waited for");
        let refused = format!("Refused {SOURCE}: at the limit of 1 connection from one address");
        assert_eq!(lines(), [refused]);
        assert_eq!(
            bench.connection.ip(),
            None,
            "it is not released for what it was not counted for"
        );
        assert_eq!(bench.counters.refused.get(), 1);
    }
}

#[test]
fn a_unix_socket_as_the_source_is_named_and_not_counted() {
    let mut addresses = [0; 216];
    addresses[..9].copy_from_slice(b"/tmp/\na b");
    let header = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8"[..], &addresses].concat();
    let mut bench = limited(1, &[&[&header[..], b"hello\n"].concat()]);
    bench.readable();
    assert_eq!(bench.stream().outgoing, b"hello\n");
    let connected = format!(r"New client connected: unix:///tmp/\na\x20b (through {PEER})");
    assert_eq!(lines()[0], connected);
    assert_eq!(bench.connection.ip(), None);
}
