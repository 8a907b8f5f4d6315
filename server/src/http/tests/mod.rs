//! Requests and their responses, at every split into reads.

mod refusals;

use std::{sync::Arc, time::Instant};

use proptest::prelude::*;
use serde_json::Value;

use super::HttpHandler;
use crate::{
    config::{Http, limits},
    layer::Handshake,
    session::{
        Attributes, EndCause, Exchange, Next, ProtocolHandler as _, Reason, Reply, run_handler,
    },
};

fn run_with(config: Http, reads: &[&[u8]]) -> Exchange {
    run_handler(Box::new(HttpHandler::new(Arc::new(config))), reads).0
}

fn run(stream: &str) -> Exchange {
    run_with(Http::default(), &[stream.as_bytes()])
}

fn received(stream: &str) -> String {
    String::from_utf8(run(stream).received).unwrap()
}

/// Returns the status of the only response, and the reason for the end of the connection.
fn status(stream: &[u8]) -> (String, Option<Reason>) {
    let Exchange { received, ended, .. } = run_with(Http::default(), &[stream]);
    let text = String::from_utf8_lossy(&received).into_owned();
    (text.split(' ').nth(1).unwrap_or_default().to_owned(), ended)
}

/// The last headers of an echo.
const ECHO: &str = "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: sandbox\r\n\r\n";

const POST: &str = "POST /a HTTP/1.1\r\nHost: a\r\n";

#[test]
fn a_body_comes_back_with_its_length_and_type() {
    let request = format!("{POST}Content-Type: image/png\r\nContent-Length: 5\r\n\r\n\0\r\n\r\x01");
    let response = format!(
        "HTTP/1.1 200 OK\r\nServer: echo-server\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 5\r\nContent-Type: image/png\r\n{ECHO}\0\r\n\r\x01"
    );
    let stream = request.repeat(2);
    for at in 0..=stream.len() {
        let reads = [&stream.as_bytes()[..at], &stream.as_bytes()[at..]];
        let exchange = run_with(Http::default(), &reads);
        assert_eq!(String::from_utf8(exchange.received).unwrap(), response.repeat(2), "at {at}");
        assert_eq!(exchange.ended, None);
    }
}

#[test]
fn a_chunked_body_comes_back_in_the_same_chunks() {
    let head = "Transfer-Encoding: chunked\r\n\r\n";
    let stream = format!(
        "{POST}{head}5;name=\"value\"\r\nhello\r\n0A\r\n0123456789\r\n000\r\nX-Sum: 15\r\n\r\n{POST}Content-Length: 1\r\n\r\nx"
    );
    let begin = "HTTP/1.1 200 OK\r\nServer: echo-server\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    let framing = head.trim_end();
    let expected = format!(
        "{begin}{framing}\r\n{ECHO}5\r\nhello\r\na\r\n0123456789\r\n0\r\n\r\n{begin}Content-Length: 1\r\n{ECHO}x"
    );
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    let splits = (0..=stream.len()).map(|at| {
        let (first, second) = stream.as_bytes().split_at(at);
        vec![first, second]
    });
    for reads in splits.chain([bytes]) {
        let exchange = run_with(Http::default(), &reads);
        assert_eq!(String::from_utf8(exchange.received).unwrap(), expected);
    }
}

#[test]
fn the_absolute_form_of_a_target_asks_for_the_page() {
    let page = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAccept: text/html\r\n\r\n")
    };
    for target in ["http://127.0.0.1:1/", "http://127.0.0.1:1", "http://127.0.0.1:1?x", "/?x"] {
        let response = received(&page(target));
        assert!(response.contains("Content-Type: text/html; "), "{target}: {response}");
        assert!(response.contains("\r\nVary: Accept, User-Agent\r\n"), "{response}");
    }
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";

/// Returns the body of the only response.
fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").expect("the head has an end").1
}

#[test]
fn a_request_without_a_body_comes_back_as_json_in_its_order_and_spelling() {
    let request =
        b"DELETE /x?y=1 HTTP/1.1\r\nhost: a\r\nX-B: 1\r\nx-A:  two  \r\nX-B: \xff\r\n\r\n";
    let exchange = run_with(Http::default(), &[request]);
    let response = String::from_utf8(exchange.received).unwrap();
    assert!(response.contains("Content-Type: application/json\r\n"), "{response}");
    let json: Value = serde_json::from_str(body(&response)).unwrap();
    let expected = serde_json::json!({
        "method": "DELETE", "target": "/x?y=1", "version": "HTTP/1.1",
        "headers": [["host", "a"], ["X-B", "1"], ["x-A", "two"], ["X-B", {"base64": "/w=="}]],
        "peer": "192.0.2.1:5000", "proxy": null, "local": "192.0.2.2:80",
        "listener": "http://0.0.0.0:80", "tls": null,
    });
    assert_eq!(json, expected);
    let line = "\n    [\"host\", \"a\"],\n    [\"X-B\", \"1\"],\n    [\"x-A\", \"two\"],\n    [\"X-B\", {\"base64\": \"/w==\"}]\n  ],\n";
    assert!(body(&response).contains(line), "a header is a line: {response}");
    assert_eq!((&exchange.logged[..], exchange.messages), (&b"DELETE /x?y=1 HTTP/1.1"[..], 1));
}

#[test]
fn the_reflection_names_the_proxy_and_tls() {
    let handshake = Handshake {
        version: "TLS 1.3",
        suite: "TLS_AES_128_GCM_SHA256",
        group: None,
        alpn: Some("http/1.1".to_owned()),
        server_name: Some("echo.example".to_owned()),
        client: Some("CN=alice".to_owned()),
        is_resumed: true,
    };
    let mut handler = HttpHandler::new(Arc::default());
    let attributes = Attributes {
        peer: "203.0.113.7:1",
        proxy: Some("10.0.0.1:2"),
        local: "10.0.0.2:443",
        listener: "https://[::]:443",
        handshake: Some(&handshake),
        ..Attributes::for_tests()
    };
    handler.begin(&attributes, Instant::now());
    let mut request = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let reply = handler.receive(&mut request, Instant::now()).reply.unwrap();
    let json: Value = serde_json::from_str(body(str::from_utf8(&reply.bytes).unwrap())).unwrap();
    assert_eq!(json["proxy"], "10.0.0.1:2");
    assert_eq!(json["listener"], "https://[::]:443");
    assert_eq!(
        json["tls"],
        serde_json::json!({
            "version": "TLS 1.3", "suite": "TLS_AES_128_GCM_SHA256", "alpn": "http/1.1",
            "server_name": "echo.example", "client": "CN=alice", "resumed": true,
        })
    );
}

#[test]
fn a_client_that_prefers_text_receives_text() {
    let text = received("GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n");
    assert!(text.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{text}");
    let expected = "GET /x HTTP/1.1\nHost: a\nUser-Agent: curl/8\nAccept: */*\n\nFrom 192.0.2.1:5000 to 192.0.2.2:80\n";
    assert_eq!(body(&text), expected);
    let json = received(
        "GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\nAccept: application/json\r\n\r\n",
    );
    assert!(json.contains("application/json"), "{json}");
}

#[test]
fn head_and_options_have_no_body() {
    let head = received("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let get = received("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(body(&head), "");
    let length =
        |text: &str| text.lines().find(|line| line.starts_with("Content-Length")).map(str::len);
    assert_eq!(length(&head), length(&get));
    for target in ["*", "/"] {
        let options = received(&format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(options.starts_with("HTTP/1.1 204 No Content\r\n"), "{options}");
        assert!(options.contains("Allow: GET") && !options.contains("Content-Length"), "{options}");
    }
}

#[test]
fn a_response_to_head_has_no_body_although_the_request_has_one() {
    let hidden = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let length = hidden.len();
    for (framing, body) in [
        (format!("Content-Length: {length}"), hidden.to_owned()),
        ("Transfer-Encoding: chunked".to_owned(), format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n")),
    ] {
        let head = format!("HEAD /x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        let expected = format!(
            "HTTP/1.1 200 OK\r\nServer: echo-server\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n{framing}\r\n{ECHO}"
        );
        assert_eq!(received(&format!("{head}{body}").repeat(2)), expected.repeat(2));
    }
}

#[test]
fn the_connection_continues_as_the_client_asks() {
    for (request, connection, ended) in [
        ("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", None, None),
        (
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
            Some("close"),
            Some(Reason::Complete),
        ),
        ("GET /x HTTP/1.0\r\n\r\n", Some("close"), Some(Reason::Complete)),
        ("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some("keep-alive"), None),
        ("POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", Some("close"), Some(Reason::Complete)),
    ] {
        let exchange = run(request);
        let response = String::from_utf8(exchange.received).unwrap();
        let named = response.lines().find_map(|line| line.strip_prefix("Connection: "));
        assert_eq!((named, exchange.ended), (connection, ended), "{request:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let requests: Vec<_> = (0..5)
        .map(|at| format!("\r\nPUT /{at} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{at}GET /{at} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    let received = received(&requests.concat());
    let bodies: Vec<&str> = received.split("HTTP/1.1 200 OK").skip(1).map(body).collect();
    assert_eq!(bodies.len(), 10);
    for (at, pair) in bodies.chunks(2).enumerate() {
        assert_eq!(pair[0], at.to_string());
        assert!(pair[1].contains(&format!("\"target\": \"/{at}\"")), "{}", pair[1]);
    }
}

#[test]
fn a_client_that_waits_for_continue_receives_it_before_its_response() {
    let head = format!("{POST}Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    let expected = "HTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(received(&head), expected, "a response before the body looks like a refusal");
    assert!(received(&format!("{head}o")).starts_with(&format!("{expected}HTTP/1.1 200 OK\r\n")));
    assert!(received(&format!("{head}ok")).ends_with("\r\n\r\nok"));
    let without_body =
        received(&format!("{POST}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"));
    assert!(without_body.starts_with("HTTP/1.1 200 OK"), "{without_body}");
}

#[test]
fn the_page_is_for_browsers_at_names_of_this_server() {
    let page = |host: &str, accept: &str| {
        let config = Http { hosts: vec!["echo.example".to_owned()], ..Http::default() };
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n");
        String::from_utf8(run_with(config, &[request.as_bytes()]).received).unwrap()
    };
    for host in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "echo.example", "Echo.Example:1"]
    {
        let response = page(host, "text/html,application/xhtml+xml");
        assert!(response.contains("Content-Type: text/html; charset=utf-8\r\n"), "{response}");
        assert!(response.contains("Content-Security-Policy: default-src 'none'; "), "{response}");
    }
    for host in ["evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"] {
        let response = page(host, "text/html");
        assert!(response.starts_with("HTTP/1.1 421 "), "{host}");
        assert!(body(&response).ends_with("add it to hosts= of the listener\n"), "{response}");
    }
    assert!(page("a", "*/*").contains("application/json"));
}

const UPGRADE: &str = "GET /any HTTP/1.1\r\nHost: localhost:1\r\nConnection: keep-alive, Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn upgrade(config: Http, headers: &str) -> String {
    let request = format!("{UPGRADE}{headers}\r\n");
    String::from_utf8(run_with(config, &[request.as_bytes()]).received).unwrap()
}

#[test]
fn a_websocket_opens_on_any_path_and_may_have_frames_in_the_same_read() {
    let frame = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let stream = [format!("{UPGRADE}\r\n").as_bytes(), frame].concat();
    let received = run_with(Http::default(), &[&stream]).received;
    // The example of RFC 6455, section 1.3.
    let expected =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05Hello";
    assert_eq!(received, expected);
}

#[test]
fn subprotocols_and_compression_are_selected_if_they_are_configured() {
    let offer = "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let plain = upgrade(Http::default(), offer);
    assert!(!plain.contains("Protocol:") && !plain.contains("Extensions"), "{plain}");
    let subprotocols = vec!["c".to_owned(), "b".to_owned()];
    let both = upgrade(Http { subprotocols, deflate: true, ..Http::default() }, offer);
    assert!(both.contains("Sec-WebSocket-Protocol: b\r\n"), "{both}");
    assert!(both.contains("Sec-WebSocket-Extensions: permessage-deflate\r\n"), "{both}");
}

fn handler() -> HttpHandler {
    let mut handler = HttpHandler::new(Arc::default());
    handler.begin(&Attributes::for_tests(), Instant::now());
    handler
}

#[test]
fn a_head_that_takes_too_long_is_answered_with_a_timeout() {
    let start = Instant::now();
    let mut handler = handler();
    handler.receive(&mut b"GET / HTT".to_vec(), start);
    let later = start + limits::HEAD_TIMEOUT / 2;
    handler.receive(&mut b"GET / HTTP".to_vec(), later);
    assert_eq!(handler.deadline(), Some(start + limits::HEAD_TIMEOUT), "a byte buys no time");
    let Reply { bytes, next } = handler.expire(start + limits::HEAD_TIMEOUT);
    assert!(bytes.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    assert!(matches!(next, Next::Close(Reason::Timeout(_))));
}

#[test]
fn a_request_that_stalls_or_ends_before_its_response_begins_is_answered() {
    let head = "the head of the request was not complete";
    let body = "the body of the request did not begin";
    let expecting = format!("{POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    for (request, rule) in [
        ("GET / HTT", head),
        (&format!("{POST}{CHUNKED}"), body),
        (&format!("{POST}{CHUNKED}5"), body),
        (&format!("{POST}{CHUNKED}0\r\nX: y\r\n"), body),
        (&expecting, body),
    ] {
        let (now, begin) = (Instant::now(), |status: &str| format!("HTTP/1.1 {status} "));
        let handler =
            || run_handler(Box::new(HttpHandler::new(Arc::default())), &[request.as_bytes()]).1;
        let Reply { bytes, next } = handler().expire(now);
        assert!(bytes.starts_with(begin("408").as_bytes()), "{request:?}");
        assert!(matches!(next, Next::Close(Reason::Timeout(reason)) if reason == rule));
        assert!(handler().end(EndCause::IdleTimeout, now).starts_with(begin("408").as_bytes()));
        assert!(handler().end(EndCause::EndOfStream, now).starts_with(begin("400").as_bytes()));
    }
    for request in ["", "\r\n", &format!("{POST}Content-Length: 4\r\n\r\nab")] {
        let mut handler =
            run_handler(Box::new(HttpHandler::new(Arc::default())), &[request.as_bytes()]).1;
        assert_eq!(handler.end(EndCause::EndOfStream, Instant::now()), &b""[..], "{request:?}");
        assert!(handler.expire(Instant::now()).bytes.is_empty());
    }
}

#[test]
fn a_drain_ends_between_requests_and_behind_a_body() {
    let now = Instant::now();
    assert!(matches!(handler().drain(now).unwrap().next, Next::Close(Reason::Drain)));
    let mut busy = handler();
    busy.receive(&mut format!("{POST}Content-Length: 4\r\n\r\n").into_bytes(), now);
    busy.receive(&mut b"ab".to_vec(), now);
    assert!(busy.drain(now).is_none());
    let step = busy.receive(&mut b"cd".to_vec(), now);
    assert_eq!(step.echo, 2);
    assert!(matches!(step.reply.unwrap().next, Next::Close(Reason::Drain)));
}

proptest! {
    /// Any bytes, in any parts: the same result, and no panic.
    #[test]
    fn any_bytes_in_any_parts_have_one_result(
        parts in proptest::collection::vec(prop_oneof![
            Just("GET /x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
            Just("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned()),
            Just("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned()),
            "[A-Z]{0,4} ?/?[ -~]{0,20}\r?\n?",
            "\\PC{0,10}",
        ], 0..6),
        sizes in proptest::collection::vec(1..60_usize, 1..20),
    ) {
        let stream = parts.concat().into_bytes();
        let whole = run_with(Http::default(), &[&stream]);
        let mut reads = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break }
            let (read, more) = rest.split_at((*size).min(rest.len()));
            reads.push(read);
            rest = more;
        }
        let split = run_with(Http::default(), &reads);
        prop_assert_eq!(whole.ended, split.ended);
        prop_assert_eq!(whole.received, split.received);
    }
}
