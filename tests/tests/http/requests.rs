//! HTTP/1.1 over real sockets. `smuggling` has the requests that two parties could read differently.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use tests::{
    net::{Peer, assert_same_bytes},
    payload::Random,
    programs::EchoServer,
    system::procfs,
};

/// Memory by which a server may grow while it serves 100 MB, in bytes.
const GROWTH: u64 = 8 * 1024 * 1024;

fn start(parameters: &str) -> EchoServer {
    let listen = format!("http://127.0.0.1:0{parameters}");
    EchoServer::start_with(&["--listen", &listen, "--log-messages", "off"])
}

/// Reads the head of a response.
pub(crate) fn read_head(peer: &mut Peer) -> String {
    peer.read_until("\r\n\r\n")
}

#[test]
fn a_body_of_100_mb_comes_back_in_little_memory() {
    let server = start("");
    let mut peer = server.connect();
    let part = Random::new(1).bytes(1024 * 1024);
    let body = part.repeat(100);
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    let _ = read_head(&mut peer);
    peer.expect(b"x");
    let before = procfs::resident_memory(server.pid());
    let length = body.len();
    peer.send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").as_bytes());
    let writer = peer.send_in_background(body);
    assert!(read_head(&mut peer).contains(&format!("Content-Length: {length}\r\n")));
    for _ in 0..100 {
        peer.expect(&part);
    }
    writer.join().expect("no panic").expect("the server reads all");
    let grown = procfs::peak_memory(server.pid()).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes");
}

#[test]
fn a_head_may_arrive_byte_by_byte() {
    let server = start("");
    let mut peer = server.connect();
    for byte in
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    {
        peer.send(&[*byte]);
    }
    assert!(read_head(&mut peer).starts_with("HTTP/1.1 200 OK\r\n"));
    peer.expect(b"2\r\nok\r\n0\r\n\r\n");
}

#[test]
fn a_thousand_slow_heads_do_not_disturb_others_and_are_refused_in_the_end() {
    let server = start("?head-timeout=3s");
    let mut slow: Vec<Peer> = (0..1000).map(|_| server.connect()).collect();
    for peer in &mut slow {
        peer.send(b"GET /slow HTTP/1.1\r\nHost: a\r\nX: ");
    }
    for _ in 0..50 {
        let mut good = server.connect();
        good.send(b"GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = String::from_utf8(good.read_to_end()).expect("it is text");
        assert!(response.contains(r#""target": "/good""#), "{response}");
    }
    for peer in &mut slow {
        // A further byte buys no time.
        peer.try_send(b"x");
        let response = String::from_utf8(peer.read_to_end()).expect("it is text");
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    }
}

#[test]
fn a_request_that_ends_in_its_head_or_before_its_body_is_answered() {
    let server = start("");
    for request in [
        "GET /x HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5",
    ] {
        let mut peer = server.connect();
        peer.send(request.as_bytes());
        peer.half_close();
        let response = String::from_utf8(peer.read_to_end()).expect("it is text");
        assert!(response.starts_with("HTTP/1.1 400 "), "{request:?}: {response}");
    }
}

#[test]
fn an_invalid_first_chunk_is_refused_with_400() {
    let server = start("");
    for size in ["-1", "0x3", "12345678901234567", "3\n"] {
        let mut peer = server.connect();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        peer.send(format!("{head}{size}\r\nabc\r\n0\r\n\r\n").as_bytes());
        let response = String::from_utf8(peer.read_to_end()).expect("it is text");
        assert!(response.starts_with("HTTP/1.1 400 "), "{size:?}: {response}");
    }
}

/// Returns the seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a date is that of the wall clock")]
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn a_response_has_the_date_of_its_second() {
    let server = start("");
    let mut peer = server.connect();
    let before = unix_time();
    peer.send(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = read_head(&mut peer);
    let date = head.lines().find_map(|line| line.strip_prefix("Date: ")).expect("there is a date");
    // `Sun, 06 Nov 1994 08:49:37 GMT`, of which the seconds of the day are compared.
    let time = date.get(17..25).expect("a time of the day").split(':');
    let second = time.fold(0, |sum, part| 60 * sum + part.parse::<u64>().expect("a number"));
    let may_be = |at: u64| at % 86_400 == second;
    assert!((before..=unix_time()).any(may_be) && date.ends_with(" GMT"), "{date}");
}

#[test]
fn a_page_under_another_name_is_refused_with_advice_in_the_log() {
    let server = start("");
    let mut peer = server.connect();
    peer.send(b"GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\n\r\n");
    let response = String::from_utf8(peer.read_to_end()).expect("it is text");
    let advice =
        "host 'evil.example' is not a name of this server; add it to hosts= of the listener";
    assert!(response.ends_with(&format!("421 Misdirected Request: {advice}\n")), "{response}");
    server.wait_for_log(&format!("was refused: {advice}"));
}

#[test]
fn a_drain_serves_the_body_that_has_begun() {
    let mut server = start("");
    let mut idle = server.connect();
    idle.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = read_head(&mut idle);
    let mut busy = server.connect();
    busy.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    let _ = read_head(&mut busy);
    busy.expect(b"first");
    server.signal(Signal::TERM);
    assert!(idle.read_to_end().starts_with(b"{"), "an idle connection ends");
    busy.send(b"later");
    busy.expect_to_end(b"later");
    drop((idle, busy));
    assert!(server.wait().success());
}

#[test]
fn a_client_that_never_reads_costs_little_memory() {
    let server = start("");
    let mut peer = server.connect();
    peer.shrink_buffers();
    let before = procfs::resident_memory(server.pid());
    let request = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    peer.stream().set_write_timeout(Some(Duration::from_millis(300))).expect("not zero");
    // The server stops reading when its socket is full.
    while std::io::Write::write_all(peer.stream(), &request).is_ok() {}
    let grown = procfs::peak_memory(server.pid()).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes");
}

#[test]
fn pipelined_bodies_and_requests_are_answered_in_order() {
    let server = start("");
    let mut peer = server.connect();
    let requests: Vec<u8> = (0..500)
        .flat_map(|at| {
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{at:04}HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
        })
        .collect();
    let writer = peer.send_in_background(requests);
    for at in 0..500 {
        assert!(read_head(&mut peer).contains("Content-Length: 4\r\n"));
        peer.expect(format!("{at:04}").as_bytes());
        let _ = read_head(&mut peer);
    }
    writer.join().expect("no panic").expect("the server reads all");
    peer.half_close();
    assert_same_bytes(&peer.read_to_end(), b"");
}
