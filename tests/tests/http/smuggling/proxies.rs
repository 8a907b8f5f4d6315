//! The vectors through proxies, which keep their connections to the server and use them for other clients.
//!
//! Each request that a proxy forwards has the header `X-Front`. A response to the hidden request without it means that only
//! the server saw a request there.

use std::{net::Shutdown, thread};

use tests::{
    net::{Certificate, TestCa},
    programs::{EchoServer, HttpProxy},
    requirements::{haproxy, nginx, skip_without},
};

use super::{
    HIDDEN_RESPONSE,
    vectors::{Vector, vectors},
};

/// Connections to the server of which a victim may get one.
const THREADS: usize = 8;

/// Asserts that each request in the response was forwarded by the proxy.
#[track_caller]
fn assert_not_smuggled(response: &[u8], name: &str) {
    let response = String::from_utf8_lossy(response);
    for request in response.split(r#""method": "#).skip(1) {
        let request = request.split(r#""peer": "#).next().unwrap_or_default();
        let is_forwarded = request.to_ascii_lowercase().contains("x-front");
        assert!(is_forwarded || !request.contains(HIDDEN_RESPONSE), "{name}: {response}");
    }
}

/// Sends each vector, and then the request of a victim.
fn attack(proxy: &HttpProxy, vectors: &[Vector]) {
    for Vector { name, bytes, .. } in vectors {
        let mut attacker = proxy.connect();
        attacker.try_send(bytes);
        let _ = attacker.stream().shutdown(Shutdown::Write);
        let mut response = Vec::new();
        // The proxy may reset a connection with bytes that it has not read.
        let _ = std::io::Read::read_to_end(attacker.stream(), &mut response);
        assert_not_smuggled(&response, name);
        let mut victim = proxy.connect();
        victim.send(b"GET /victim HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = victim.read_to_end();
        assert_not_smuggled(&response, name);
        let response = String::from_utf8_lossy(&response).into_owned();
        assert!(response.starts_with("HTTP/1.1 200 "), "{name}: {response}");
        assert!(response.contains(r#""target": "/victim""#), "{name}: {response}");
    }
}

fn attack_in_parallel(start: impl FnOnce(&EchoServer, &Certificate) -> HttpProxy) {
    let server = EchoServer::start_with(&["--listen", "http://127.0.0.1:0"]);
    let proxy = start(&server, &TestCa::new().localhost());
    let vectors = vectors();
    thread::scope(|scope| {
        for part in vectors.chunks(vectors.len().div_ceil(THREADS)) {
            scope.spawn(|| attack(&proxy, part));
        }
    });
}

#[test]
fn no_request_hides_another_one_behind_nginx() {
    if skip_without(&[nginx()]) {
        return;
    }
    attack_in_parallel(|server, certificate| {
        let lines = "client_header_timeout 2s; client_body_timeout 2s; send_timeout 2s; proxy_read_timeout 2s;";
        HttpProxy::nginx(certificate, "", ("http", server.address()), lines)
    });
}

#[test]
fn no_request_hides_another_one_behind_haproxy() {
    if skip_without(&[haproxy()]) {
        return;
    }
    attack_in_parallel(|server, certificate| {
        let lines =
            "timeout http-request 2s\n timeout client 2s\n timeout server 2s\n timeout tunnel 2s";
        HttpProxy::haproxy(certificate, "", &server.address().to_string(), lines)
    });
}
