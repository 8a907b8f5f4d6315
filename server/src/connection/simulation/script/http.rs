//! Requests of a client: pipelined, with and without a body, malformed ones, and at the end perhaps a WebSocket.

use fastrand::Rng;

use super::{script::Script, websocket::frames};

/// Heads that are refused.
const MALFORMED: [&str; 20] = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: a miracle\r\n\r\n",
    "GET\r\n\r\n",
];

/// Ends of chunked bodies that are refused.
const MALFORMED_CHUNKS: [&str; 6] =
    ["g\r\n", "\r\n", "3\nabc", "3\r\nabcd\r\n", "3;a\rb\r\n", "0\r\nHost: b\r\n\r\n"];

/// The handshake of a WebSocket, without the end of its head.
const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/// Returns the requests of a client, the last of which may be incomplete.
pub(in crate::connection::simulation) fn requests(rng: &mut Rng) -> Script {
    let mut script = Script::default();
    let is_websocket = rng.u8(0..3) > 0;
    let requests = if is_websocket && rng.u8(0..6) > 0 { 0 } else { rng.usize(1..6) };
    for _ in 0..requests {
        match rng.u8(0..32) {
            0 => script.push(rng.choice(MALFORMED).expect("the list is not empty").as_bytes()),
            1 => flood(&mut script, rng),
            2..12 => without_body(&mut script, rng),
            12..22 => with_length(&mut script, rng),
            _ => with_chunks(&mut script, rng),
        }
    }
    if is_websocket {
        upgrade(&mut script, rng);
        frames(&mut script, rng);
        script.has_frames = true;
    }
    let len = script.bytes.len();
    match rng.u8(0..12) {
        0 => script.bytes.truncate(rng.usize(0..=len)),
        1..4 => script.bytes.truncate(rng.usize(len.saturating_sub(40)..=len)),
        _ => {}
    }
    script
}

/// Returns the beginning of a head.
fn begin(methods: &[&str], rng: &mut Rng) -> String {
    let method = rng.choice(methods).expect("the list is not empty");
    let target = rng.choice(["/", "/a?b=c", "/page/page.svg"]).expect("the list is not empty");
    let mut head = match rng.u8(0..16) {
        0 => format!("{method} {target} HTTP/1.0\r\n"),
        1 => format!("{method} {target} HTTP/1.0\r\nConnection: keep-alive\r\n"),
        2 => format!("\r\n{method} {target} HTTP/1.1\r\nHost: a\r\n"),
        _ => format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
    };
    if rng.u8(0..16) == 0 && !head.contains("Connection") {
        head += "Connection: close\r\n";
    }
    if rng.bool() {
        head += "X-Any:   a \"value\"\t\r\n";
    }
    head
}

/// Appends requests of which a read holds several. Their responses are much longer.
fn flood(script: &mut Script, rng: &mut Rng) {
    for _ in 0..rng.usize(5..15) {
        script.push(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
}

fn without_body(script: &mut Script, rng: &mut Rng) {
    let mut head = begin(&["GET", "GET", "HEAD", "OPTIONS", "DELETE", "POST"], rng);
    head += match rng.u8(0..4) {
        0 => "Content-Length: 0\r\n",
        1 => "Expect: 100-continue\r\n",
        _ => "",
    };
    // The text is predicted exactly, and is quicker to compare than JSON.
    head += if rng.u8(0..4) > 0 { "Accept: text/plain\r\n\r\n" } else { "\r\n" };
    script.push(head.as_bytes());
}

/// Returns the beginning of the head of a request with a body.
fn begin_body(rng: &mut Rng) -> String {
    let mut head = begin(&["POST", "PUT", "GET", "HEAD"], rng);
    if rng.bool() {
        head += "Content-Type: image/png\r\n";
    }
    if rng.u8(0..3) == 0 {
        head += "expect: 100-Continue\r\n";
    }
    head
}

/// Returns bytes of a body.
fn body(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.u16(0..4000) {
        0 => 70_000,
        1..200 => rng.usize(100..2000),
        _ => rng.usize(1..40),
    };
    (0..len).map(|_| rng.choice(*b"\r\n\0\xffGET /0a").unwrap()).collect()
}

fn with_length(script: &mut Script, rng: &mut Rng) {
    let body = body(rng);
    let head = begin_body(rng) + &format!("Content-Length: {}\r\n\r\n", body.len());
    script.push(head.as_bytes());
    script.push_unit(&body, 0);
}

fn with_chunks(script: &mut Script, rng: &mut Rng) {
    let head = begin_body(rng);
    if head.contains("HTTP/1.0") {
        return;
    }
    script.push((head + "Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    for _ in 0..rng.usize(0..4) {
        let body = body(rng);
        let len = body.len();
        let line = match rng.u8(0..4) {
            0 => format!("{len:X}\r\n"),
            1 => format!("00{len:x};name=\"value\"\r\n"),
            _ => format!("{len:x}\r\n"),
        };
        script.push(line.as_bytes());
        script.push_unit(&body, 0);
        script.push(b"\r\n");
    }
    let end = match rng.u8(0..12) {
        0 => rng.choice(MALFORMED_CHUNKS).expect("the list is not empty"),
        1..4 => "000\r\nX-Sum: 1\r\nX-Other:2\r\n\r\n",
        _ => "0\r\n\r\n",
    };
    script.push(end.as_bytes());
}

/// Appends the handshake of a WebSocket, which is refused at times.
fn upgrade(script: &mut Script, rng: &mut Rng) {
    let rest = match rng.u8(0..64) {
        0 => "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        1 => "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
        2 => {
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Origin: https://example.com\r\n\r\n"
        }
        3 => {
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Content-Length: 3\r\n\r\n"
        }
        4..16 => {
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Sec-WebSocket-Protocol: chat, echo\r\n\r\n"
        }
        _ => "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    };
    script.push([UPGRADE, rest].concat().as_bytes());
}
