//! HTTP/1.1 over real sockets. `smuggling` has the requests that two parties could read differently.

use std::time::Duration;

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
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(peer.stream(), &mut byte).expect("the head goes on");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a head is text")
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
    let server = start("?head-timeout=1s");
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
