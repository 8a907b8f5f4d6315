use super::*;
use crate::websocket::Format;

fn options() -> Options {
    Options {
        url: "ws://echo.example.com/a".to_owned(),
        host: "echo.example.com".to_owned(),
        target: "/a?b=c".to_owned(),
        origin: None,
        authorization: None,
        protocols: vec!["chat".to_owned(), "echo".to_owned()],
        is_protocol_required: false,
        format: Format::Lines,
    }
}

/// The handshake of RFC 6455, section 1.3.
fn handshake() -> Handshake {
    let handshake = Handshake::new(&options());
    Handshake { accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(), ..handshake }
}

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: echo\r\n\r\n";

fn error(answer: &str) -> String {
    handshake().receive(answer.as_bytes()).unwrap_err().with_advice()
}

#[test]
fn the_request_names_host_target_and_protocols_and_has_a_fresh_key() {
    let (one, other) = (Handshake::new(&options()), Handshake::new(&options()));
    let text = String::from_utf8(one.unsent().to_vec()).unwrap();
    assert!(text.starts_with("GET /a?b=c HTTP/1.1\r\nHost: echo.example.com\r\n"), "{text}");
    assert!(text.contains("\r\nSec-WebSocket-Protocol: chat, echo\r\n"), "{text}");
    assert!(!text.contains("Origin"), "{text}");
    assert!(text.ends_with("\r\n\r\n"));
    assert_ne!(one.unsent(), other.unsent());
    let options = Options { origin: Some("https://a.example".to_owned()), ..options() };
    let text = String::from_utf8(Handshake::new(&options).unsent().to_vec()).unwrap();
    assert!(text.contains("\r\nOrigin: https://a.example\r\n"), "{text}");
}

#[test]
fn accepts_the_answer_at_every_split_and_keeps_the_frames_after_it() {
    let answer = [ACCEPTED.as_bytes(), b"\x81\x00"].concat();
    for at in 0..answer.len() {
        let mut handshake = handshake();
        let first = handshake.receive(&answer[..at]).unwrap();
        let accepted = match first {
            Some(accepted) => accepted,
            None => handshake.receive(&answer[at..]).unwrap().unwrap(),
        };
        assert_eq!(accepted.protocol.as_deref(), Some("echo"));
        let rest = if at < ACCEPTED.len() {
            &answer[ACCEPTED.len()..]
        } else {
            &answer[ACCEPTED.len()..at]
        };
        assert_eq!(accepted.rest, rest, "split at {at}");
    }
}

#[test]
fn refuses_an_answer_that_is_not_to_this_request() {
    for (from, to, text) in [
        ("upgrade: WebSocket\r\n", "", "'Upgrade: websocket' is missing"),
        ("keep-alive, Upgrade", "keep-alive", "'Connection: Upgrade' is missing"),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=", "does not belong"),
        ("Sec-WebSocket-Protocol: echo", "Sec-WebSocket-Protocol: mqtt", "not offered"),
        ("Sec-WebSocket-Protocol: echo", "Sec-WebSocket-Extensions: x", "none was offered"),
    ] {
        let answer = ACCEPTED.replace(from, to);
        assert!(error(&answer).contains(text), "{}", error(&answer));
    }
}

#[test]
fn an_answer_other_than_101_is_explained() {
    for (answer, text) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "the server refused the WebSocket: status 403 (Forbidden)\nThe server may require an Origin: try --ws-origin",
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "status 404 (Not Found)\nCheck the path"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://a/b\r\n\r\n",
            "status 301 (Moved), a redirect to 'https://a/b'\nRedirects are not followed",
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 7\r\n\r\n",
            "it requires 'WebSocket version 7'",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n<html>",
            "status 200 (OK)\nThe server speaks HTTP, but no WebSocket",
        ),
        ("hello\n", r"the server does not speak HTTP: it sent 'hello\n'"),
        ("\x15\x03\x03\0\x02\x02\x32", "TLS alert\nThe server seems to speak TLS: use wss://"),
    ] {
        assert!(error(answer).contains(text), "{}", error(answer));
    }
}

#[test]
fn an_end_without_an_answer_suggests_tls() {
    let end = handshake().end().with_advice();
    assert!(end.ends_with("If the server speaks TLS, use wss://echo.example.com/a"), "{end}");
    let mut cut = handshake();
    cut.receive(b"HTTP/1.1 101").unwrap();
    assert!(cut.end().to_string().contains("ended within its head"));
}

#[test]
fn an_endless_head_is_refused() {
    let mut handshake = handshake();
    handshake.receive(b"HTTP/1.1 101 OK\r\nA: ").unwrap();
    let error = (0..20).find_map(|_| handshake.receive(&[b'a'; 1000]).err()).unwrap();
    assert!(error.to_string().contains("longer than 16384 bytes"), "{error}");
}

#[test]
fn a_subprotocol_that_is_required_and_not_selected_is_a_failure() {
    let mut handshake = handshake();
    handshake.options.is_protocol_required = true;
    let answer = ACCEPTED.replace("Sec-WebSocket-Protocol: echo\r\n", "");
    assert_eq!(
        handshake.receive(answer.as_bytes()).unwrap_err().with_advice(),
        "the server does not speak the subprotocol chat, echo at this path\n\
         An echo server speaks it on a listener with protocol=room; check the port and the path of the URL."
    );
}
