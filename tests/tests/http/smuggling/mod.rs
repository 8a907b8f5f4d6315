//! Request smuggling: a request that two parties could read differently gets no second response.
//!
//! `vectors.rs` has the requests, `proxies.rs` sends them through proxies.

mod proxies;
mod vectors;

use std::net::Shutdown;

use tests::programs::EchoServer;

use self::vectors::{Vector, vectors};

/// The response to the hidden request shows it as JSON.
const HIDDEN_RESPONSE: &str = r#""target": "/hidden""#;

fn status(response: &str) -> Option<&str> {
    response.strip_prefix("HTTP/1.1 ")?.get(..3)
}

#[test]
fn no_request_hides_another_one() {
    let server = EchoServer::start_with(&["--listen", "http://127.0.0.1:0"]);
    let mut faults = Vec::new();
    for Vector { name, status: expected, bytes } in vectors() {
        // In one read, and in two whose border is where readers differ: before the hidden request.
        for at in [bytes.len(), bytes.len() - vectors::HIDDEN.len()] {
            let mut peer = server.connect();
            peer.send(&bytes[..at]);
            peer.try_send(&bytes[at..]);
            let _ = peer.stream().shutdown(Shutdown::Write);
            let response = String::from_utf8_lossy(&peer.read_to_end()).into_owned();
            if status(&response) != Some(expected) || response.contains(HIDDEN_RESPONSE) {
                faults.push(format!("{name}, expected {expected}: {response:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_response_to_head_hides_no_other_response() {
    let server = EchoServer::start_with(&["--listen", "http://127.0.0.1:0"]);
    let hidden = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut peer = server.connect();
    peer.send(
        format!("HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len())
            .as_bytes(),
    );
    peer.half_close();
    let response = String::from_utf8_lossy(&peer.read_to_end()).into_owned();
    assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{response}");
}
