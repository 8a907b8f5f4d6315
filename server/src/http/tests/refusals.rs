//! Requests that are refused, and what follows them.

use super::{CHUNKED, POST, UPGRADE, body, received, run, run_with, status, upgrade};
use crate::{
    config::{Http, limits},
    session::Reason,
};

#[track_caller]
fn assert_refused(stream: impl AsRef<[u8]>, expected: &str, rule: &'static str) {
    let stream = stream.as_ref();
    let shown = String::from_utf8_lossy(stream);
    let reason =
        if expected == "400" { Reason::Violation(rule) } else { Reason::Refused(rule.into()) };
    assert_eq!(status(stream), (expected.to_owned(), Some(reason)), "{shown:?}");
    // A second request, hidden behind the first, gets no response.
    let hidden = [stream, b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    let received = run_with(Http::default(), &[&hidden]).received;
    assert_eq!(String::from_utf8_lossy(&received).matches("HTTP/1.1 ").count(), 1, "{shown:?}");
}

const TLS: &str = "a TLS handshake on a listener without TLS; use http://";

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
    assert_refused(tunnel, "501", "CONNECT asks for a tunnel, and this server is no proxy");
    let gzip = format!("{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
    assert_refused(gzip, "501", "the only transfer coding of this server is chunked");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_refused(preface, "505", "the version is neither HTTP/1.0 nor HTTP/1.1");
    let expect = format!("{POST}Expect: 200-ok\r\nContent-Length: 1\r\n\r\n");
    let only = "the only expectation of this server is 100-continue";
    assert_refused(expect, "417", only);
    let two = format!("{POST}Expect: 100-continue, foo\r\nContent-Length: 1\r\n\r\n");
    assert_refused(two, "417", only);
}

#[test]
fn every_request_that_is_served_begins_with_its_line() {
    let line = "the request line is invalid";
    assert_refused("\r\n\r\nGET /secret HTTP/1.1\r\nHost: a\r\n\r\n", "400", line);
    assert_refused(" \r\n\r\nGET /secret HTTP/1.1\r\nHost: a\r\n\r\n", "400", line);
    assert_refused("\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400", "a line ends without CR");
    let one = run("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(one.logged, b"GET /x HTTP/1.1");
}

#[test]
fn a_target_and_a_host_that_differ_are_refused() {
    let get = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let differ = "the target and the Host header name different hosts";
    assert_refused(get("http://evil/", "x"), "400", differ);
    assert_refused(get("http://x:81/", "x"), "400", differ);
    assert_refused(get("http://x/", ""), "400", differ);
    assert_refused(get("http:///", "x"), "400", "the host of the target is invalid");
    assert_eq!(status(get("HTTP://Echo.example:80/x", "echo.example:80").as_bytes()).0, "200");
    let old = "GET http://x/y HTTP/1.0\r\n\r\n";
    assert_eq!(status(old.as_bytes()).0, "200");
    let host = "the Host header is invalid";
    for invalid in ["a:b:c", "a:99999999", "<x>", "caf\u{e9}", "[::1", ":80"] {
        assert_refused(get("/x", invalid), "400", host);
    }
    let unencoded = "the target has a character that must be percent-encoded, or a '#'";
    assert_refused(get("/x#y", "a"), "400", unencoded);
    assert_refused(get("/caf\u{e9}", "a"), "400", unencoded);
}

#[test]
fn a_refused_head_has_no_body() {
    for request in ["HEAD /x HTTP/1.1\r\n\r\n", "\r\nHEAD / HTTP/1.1\r\nHost: <\r\n\r\n"] {
        let response = received(request);
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        assert_eq!(body(&response), "");
    }
    let chunked = format!("{}{CHUNKED}-1\r\n", POST.replace("POST", "HEAD"));
    assert_eq!(body(&received(&chunked)), "");
}

#[test]
fn a_request_line_with_another_number_of_words_is_invalid() {
    for line in ["GET / HTTP/1.10", "GET /a b HTTP/1.1", "GET  / HTTP/1.0"] {
        let request = format!("{line}\r\nHost: a\r\n\r\n");
        assert_refused(request, "400", "the request line is invalid");
    }
}

#[test]
fn a_first_chunk_that_two_parties_could_read_differently_is_refused_before_the_response() {
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
        ("0\r\nContent-Length: 5\r\n\r\n", "a trailer has a name that only a header may have"),
        ("0\r\nX : a\r\n\r\n", "a trailer is invalid"),
        ("0\r\nX: a\nY: b\r\n\r\n", "a line ends without CR"),
        ("0\r\nX: a\n\n", "a line ends without CR"),
        ("0\r\n\n", "a line ends without CR"),
    ] {
        assert_refused(format!("{POST}{CHUNKED}{body}"), "400", rule);
        // A later chunk ends the response that has begun, without its last chunk.
        let stream =
            format!("{POST}{CHUNKED}1\r\nx\r\n{body}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n");
        let exchange = run(&stream);
        assert_eq!(exchange.ended, Some(Reason::Violation(rule)), "{body:?}");
        let received = String::from_utf8(exchange.received).unwrap();
        assert!(received.starts_with("HTTP/1.1 200 ") && !received.ends_with("0\r\n\r\n"));
        assert_eq!(received.matches("HTTP/1.1").count(), 1);
    }
    let long = format!("{POST}{CHUNKED}5;{}", "x".repeat(300));
    assert_refused(long, "400", "the size of a chunk is too long");
}

#[test]
fn a_chunk_longer_than_its_size_ends_the_connection() {
    for body in ["5\r\nhello!\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n"] {
        let exchange = run(&format!("{POST}{CHUNKED}{body}"));
        let rule = "a chunk is longer than its size";
        assert_eq!(exchange.ended, Some(Reason::Violation(rule)), "{body:?}");
        assert!(exchange.received.ends_with(b"5\r\nhello"), "{body:?}: the end is missing");
    }
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
    let refused = upgrade(Http::default(), "Origin: https://a.example\r\n");
    let expected = "403 Forbidden: origin 'https://a.example' is not allowed; add it to origins= of the listener\n";
    assert_eq!(body(&refused), expected);
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
