//! Requests and their responses, at every split into reads.

use std::{sync::Arc, time::Instant};

use proptest::prelude::*;
use serde_json::Value;

use super::HttpHandler;
use crate::{
    config::{Http, limits},
    layer::Handshake,
    session::{Attributes, Exchange, Next, ProtocolHandler as _, Reason, Reply, run_handler},
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

#[track_caller]
fn assert_refused(stream: impl AsRef<[u8]>, expected: &str, rule: &'static str) {
    let stream = stream.as_ref();
    let shown = String::from_utf8_lossy(stream);
    let expected = (expected.to_owned(), Some(Reason::Violation(rule)));
    assert_eq!(status(stream), expected, "{shown:?}");
    // A second request, hidden behind the first, gets no response.
    let hidden = [stream, b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    let received = run_with(Http::default(), &[&hidden]).received;
    assert_eq!(String::from_utf8_lossy(&received).matches("HTTP/1.1 ").count(), 1, "{shown:?}");
}

const TLS: &str = "it speaks TLS, which this listener does not; let it connect without TLS";

/// The last headers of an echo.
const ECHO: &str = "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: sandbox\r\n\r\n";

const POST: &str = "POST /a HTTP/1.1\r\nHost: a\r\n";

#[test]
fn a_body_comes_back_with_its_length_and_type() {
    let request = format!("{POST}Content-Type: image/png\r\nContent-Length: 5\r\n\r\n\0\r\n\r\x01");
    let response = format!(
        "HTTP/1.1 200 OK\r\nServer: echo-server\r\nContent-Length: 5\r\nContent-Type: image/png\r\n{ECHO}\0\r\n\r\x01"
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
    let begin = "HTTP/1.1 200 OK\r\nServer: echo-server\r\n";
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
fn what_two_parties_could_read_differently_is_refused() {
    let bad = |rest: &str, rule| assert_refused(format!("{POST}{rest}"), "400", rule);
    let both = "there are both Content-Length and Transfer-Encoding";
    bad("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", both);
    bad("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", both);
    let several = "there are several Content-Length headers";
    bad("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", several);
    bad("Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", several);
    for length in
        ["+5", "-5", "5, 5", "0x5", "5 5", "", "9223372036854775808", "99999999999999999999"]
    {
        bad(&format!("Content-Length: {length}\r\n\r\nhello"), "the Content-Length is invalid");
    }
    let last = "the last transfer coding is not chunked";
    for coding in
        ["identity", "chunked, identity", "xchunked", "chunkedx", "\"chunked\"", "\x0bchunked"]
    {
        let rule =
            if coding.starts_with('\x0b') { "the value of a header is invalid" } else { last };
        bad(&format!("Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n"), rule);
    }
    bad(
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "there are several Transfer-Encoding headers",
    );
    bad("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "the name of a header is invalid");
    bad(" Transfer-Encoding: chunked\r\n\r\n", "a header is continued in the next line");
    bad("X: a\r\n b\r\n\r\n", "a header is continued in the next line");
    bad("X: a\nTransfer-Encoding: chunked\r\n\r\n", "a line ends without CR");
    bad("X: a\rTransfer-Encoding: chunked\r\n\r\n", "there is a CR inside of a line");
    bad("X: a\0b\r\n\r\n", "there is a NUL");
    bad("Host: b\r\n\r\n", "there are several Host headers");
    bad("no colon\r\n\r\n", "the name of a header is invalid");
}

#[test]
fn an_invalid_request_line_or_host_is_refused() {
    assert_refused("GET / HTTP/1.1\r\n\r\n", "400", "there is no Host header");
    assert_refused("GET / HTTP/1.1\nHost: a\n\n", "400", "a line ends without CR");
    // A client that speaks no HTTP, such as one of a plain echo server.
    assert_refused("hello\n", "400", "a line ends without CR");
    assert_refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400", "the Host header is invalid");
    assert_refused("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400", "the target has no valid form");
    assert_refused(b"\x16\x03\x01\x02\0\x01\x01\xfc", "400", TLS);
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_refused(old, "400", "HTTP/1.0 has no Transfer-Encoding");
    let tunnel = "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_refused(tunnel, "501", "it asks for a tunnel");
    let gzip = format!("{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
    assert_refused(gzip, "501", "the only transfer coding of this server is chunked");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_refused(preface, "505", "the version is not HTTP/1");
    let expect = format!("{POST}Expect: 200-ok\r\nContent-Length: 1\r\n\r\n");
    assert_refused(expect, "417", "the only expectation of this server is 100-continue");
}

#[test]
fn a_request_line_with_another_number_of_words_is_invalid() {
    for line in ["GET / HTTP/1.10", "GET /a b HTTP/1.1", "GET  / HTTP/1.0"] {
        let request = format!("{line}\r\nHost: a\r\n\r\n");
        assert_refused(request, "400", "the request line is invalid");
    }
}

#[test]
fn a_chunk_that_two_parties_could_read_differently_ends_the_connection() {
    let invalid = "the size of a chunk is invalid";
    for (body, rule) in [
        ("5\nhello\r\n0\r\n\r\n", "the size of a chunk ends without CR"),
        ("5\r\rhello", "there is a CR inside the size of a chunk"),
        ("g\r\n", invalid),
        ("-1\r\n", invalid),
        ("+5\r\nhello\r\n", invalid),
        ("0x5\r\nhello\r\n", invalid),
        (" 5\r\nhello\r\n", invalid),
        ("5 \r\nhello\r\n", invalid),
        ("5 x\r\nhello\r\n", invalid),
        ("5;\x01\r\nhello\r\n", invalid),
        ("\r\n", invalid),
        ("8000000000000000\r\n", invalid),
        ("00000000000000005\r\nhello\r\n", invalid),
        ("5\r\nhello!\r\n0\r\n\r\n", "a chunk is longer than its size"),
        ("5\r\nhello0\r\n\r\n", "a chunk is longer than its size"),
        ("0\r\nContent-Length: 5\r\n\r\n", "a trailer has a name that only a header may have"),
        ("0\r\nX : a\r\n\r\n", "a trailer is invalid"),
        ("0\r\nX: a\nY: b\r\n\r\n", "a line ends without CR"),
    ] {
        let stream = format!("{POST}Transfer-Encoding: chunked\r\n\r\n{body}");
        let exchange = run(&format!("{stream}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(exchange.ended, Some(Reason::Violation(rule)), "{body:?}");
        let received = String::from_utf8(exchange.received).unwrap();
        assert!(!received.ends_with("0\r\n\r\n"), "{body:?}: the end is missing");
        assert_eq!(received.matches("HTTP/1.1").count(), 1);
    }
    let long = format!("{POST}Transfer-Encoding: chunked\r\n\r\n5;{}", "x".repeat(300));
    assert_eq!(run(&long).ended, Some(Reason::Violation("the size of a chunk is too long")));
}

#[test]
fn a_head_over_a_limit_is_refused() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(limits::HTTP_TARGET));
    assert_eq!(status(long.as_bytes()).0, "414");
    let endless = format!("GET /{}", "x".repeat(limits::HTTP_HEAD));
    assert_eq!(status(endless.as_bytes()).0, "414");
    let line = format!("X: {}\r\n", "x".repeat(1000));
    let headers = format!("{POST}{}", line.repeat(17));
    assert_eq!(status(headers.as_bytes()).0, "431");
    let many = format!("{POST}{}\r\n", "X: x\r\n".repeat(limits::HTTP_HEADERS));
    assert_eq!(status(many.as_bytes()).0, "431");
    let most = format!("{POST}{}\r\n", "X: x\r\n".repeat(limits::HTTP_HEADERS - 1));
    assert_eq!(status(most.as_bytes()).0, "200");
}

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
        "headers": [["host", "a"], ["X-B", "1"], ["x-A", "two"], ["X-B", "\\xff"]],
        "peer": "192.0.2.1:5000", "proxy": null, "local": "192.0.2.2:80",
        "listener": "http://0.0.0.0:80", "tls": null,
    });
    assert_eq!(json, expected);
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
        let expected = format!("HTTP/1.1 200 OK\r\nServer: echo-server\r\n{framing}\r\n{ECHO}");
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
        assert!(page(host, "text/html").starts_with("HTTP/1.1 421 "), "{host}");
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

#[test]
fn a_page_of_another_origin_may_not_open_a_websocket() {
    let status = |origins: &[&str], origin: &str| {
        let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
        let config = Http { origins, ..Http::default() };
        let response = upgrade(config, &format!("Origin: {origin}\r\n"));
        response.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status(&[], "http://localhost:1"), "101");
    for origin in [
        "https://localhost:1",
        "http://localhost",
        "http://localhost:2",
        "null",
        "http://LOCALHOST:1",
    ] {
        assert_eq!(status(&[], origin), "403", "{origin}");
        assert_eq!(status(&["http://x", origin], origin), "101");
        assert_eq!(status(&["*"], origin), "101");
    }
    let rebound =
        UPGRADE.replace("localhost:1", "evil.example") + "Origin: http://evil.example\r\n\r\n";
    assert!(received(&rebound).starts_with("HTTP/1.1 403 "));
}

#[test]
fn an_invalid_handshake_is_refused() {
    for (from, to, expected) in [
        ("Version: 13", "Version: 8", "426"),
        ("Sec-WebSocket-Version: 13\r\n", "", "426"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", "400"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", "400"),
        ("Host: localhost:1\r\n", "Host: localhost:1\r\nContent-Length: 1\r\n", "400"),
    ] {
        let response = received(&format!("{}\r\n", UPGRADE.replace(from, to)));
        assert_eq!(response.split(' ').nth(1), Some(expected), "{response}");
        assert_eq!(response.contains("Sec-WebSocket-Version: 13\r\n"), expected == "426");
    }
}

fn handler() -> HttpHandler {
    let mut handler = HttpHandler::new(Arc::default());
    let attributes = Attributes { peer: "", proxy: None, local: "", listener: "", handshake: None };
    handler.begin(&attributes, Instant::now());
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
