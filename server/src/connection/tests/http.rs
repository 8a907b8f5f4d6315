//! Protocols with replies, timers and a drain of their own: HTTP and WebSocket.

use std::{sync::Arc, time::Duration};

use flate2::{Compress, Compression, FlushCompress};
use rustls::version::TLS13;

use super::{END, Harness, capture_log, lines};
use crate::{
    admission::ConnectionPolicy,
    config::{Http, Listener, limits},
    connection::Turn,
    layer::{NewScrambled, ScrambledPeer},
    telemetry::{CloseReason, Recorder},
    tls::{Client, NewTls, TestCa},
};

const GET: &str = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A text frame with `hello`, whose mask is zero, and its echo.
const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
const ECHO: &[u8] = b"\x81\x05hello";

fn policy_with(http: Http, idle_timeout: Option<Duration>) -> ConnectionPolicy {
    let mut listener = Listener::tcp("127.0.0.1", 0);
    listener.options.http = Some(Arc::new(http));
    listener.options.idle_timeout = idle_timeout;
    ConnectionPolicy::alone(&listener)
}

fn policy() -> ConnectionPolicy {
    policy_with(Http::default(), None)
}

fn http(incoming: &[&[u8]]) -> Harness {
    capture_log();
    Harness::with_policy(policy(), incoming)
}

/// Lets this time pass, and fires what is due.
fn pass(harness: &mut Harness, time: Duration) -> Turn {
    harness.now += time;
    let telemetry = Recorder::new(0, &harness.counters, true);
    match harness.connection.expire(harness.now, &telemetry) {
        Turn::Again => {
            harness.expire_session();
            harness.turn()
        }
        turn => turn,
    }
}

fn outgoing(harness: &mut Harness) -> String {
    String::from_utf8_lossy(&std::mem::take(&mut harness.stream().outgoing)).into_owned()
}

#[test]
fn the_log_shows_requests_and_messages() {
    let mut harness =
        http(&[GET.as_bytes(), UPGRADE.as_bytes(), &HELLO.repeat(2), b"\x88\x80\0\0\0\0"]);
    harness.run();
    assert_eq!(
        lines()[1..],
        [
            "Received from 127.0.0.1:54321: 'GET /x HTTP/1.1'",
            "Received from 127.0.0.1:54321: 'GET / HTTP/1.1'",
            "Received from 127.0.0.1:54321: 'hello'",
            "Received from 127.0.0.1:54321: 'hello'",
            "Echoed to 127.0.0.1:54321: 'hello'",
            "Echoed to 127.0.0.1:54321: 'hello'",
        ]
    );
    assert!(harness.stream().half_closed);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Complete));
    // The request that opens the WebSocket is in the log, and no message.
    assert_eq!(harness.connection.totals.messages_received, 3);
}

#[test]
fn a_request_that_is_never_complete_times_out_with_a_response() {
    let mut harness = http(&[b"GET / HTTP/1.1\r\n", b"X: y\r\n"]);
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(pass(&mut harness, limits::HEAD_TIMEOUT / 2), Turn::Wait);
    assert_eq!(harness.readable(), Turn::Wait);
    pass(&mut harness, limits::HEAD_TIMEOUT / 2);
    assert!(outgoing(&mut harness).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert!(harness.stream().half_closed);
    assert!(
        lines().concat().contains("timed out: the head of the request was not complete"),
        "{:?}",
        lines()
    );
}

#[test]
fn a_client_may_leave_between_requests_without_a_word_in_the_log() {
    let mut harness = http(&[GET.as_bytes(), END]);
    assert_eq!(harness.run(), Turn::Over);
    assert!(!lines().concat().contains("disconnected"), "{:?}", lines());
    let mut harness = http(&[&GET.as_bytes()[..9], END]);
    harness.run();
    assert!(lines().concat().contains("disconnected unexpectedly"), "{:?}", lines());
    let response = outgoing(&mut harness);
    assert!(response.starts_with("HTTP/1.1 400 "), "half a request is no echo: {response}");
}

#[test]
fn a_silent_websocket_is_pinged_and_then_closed() {
    let mut harness = http(&[UPGRADE.as_bytes()]);
    harness.readable();
    outgoing(&mut harness);
    assert_eq!(pass(&mut harness, limits::PING_INTERVAL), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"\x89\0");
    assert_eq!(pass(&mut harness, limits::PING_INTERVAL), Turn::Wait, "it lingers");
    assert_eq!(harness.connection.close_reason, Some(CloseReason::ProtocolTimeout));
}

#[test]
fn an_idle_timeout_closes_a_websocket_with_a_close_frame() {
    capture_log();
    let policy = policy_with(Http::default(), Some(Duration::from_secs(1)));
    let mut harness = Harness::with_policy(policy, &[UPGRADE.as_bytes()]);
    harness.readable();
    outgoing(&mut harness);
    assert_eq!(pass(&mut harness, Duration::from_secs(1)), Turn::Wait, "it lingers");
    assert_eq!(harness.stream().outgoing, b"\x88\x13\x03\xe9idle for too long");
    assert!(harness.stream().half_closed);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::IdleTimeout));
    assert!(lines().concat().contains("timed out: idle for 1s"), "{:?}", lines());
}

#[test]
fn an_idle_timeout_in_a_head_is_answered() {
    let policy = policy_with(Http::default(), Some(Duration::from_secs(1)));
    let mut harness = Harness::with_policy(policy, &[b"GET / HT"]);
    harness.readable();
    pass(&mut harness, Duration::from_secs(1));
    assert!(outgoing(&mut harness).starts_with("HTTP/1.1 408 "));
    assert_eq!(harness.connection.close_reason, Some(CloseReason::IdleTimeout));
}

#[test]
fn a_request_that_is_refused_is_in_the_log_with_the_reason() {
    let page = "GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\n\r\n";
    let mut harness = http(&[page.as_bytes()]);
    harness.readable();
    let expected = "Client 127.0.0.1:54321 was refused: host 'evil.example' is not a name of this server; add it \
                    to hosts= of the listener";
    assert!(lines().iter().any(|line| line == expected), "{:?}", lines());
    assert_eq!(harness.connection.close_reason, Some(CloseReason::RequestRefused));
}

/// A handshake that offers compression.
fn deflate_upgrade() -> String {
    UPGRADE.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
}

fn deflate_policy() -> ConnectionPolicy {
    policy_with(Http { deflate: true, ..Http::default() }, None)
}

/// A message that inflates to a thousand times its length, a close, and the echo of both.
fn bomb() -> (Vec<u8>, Vec<u8>) {
    let mut message = Vec::with_capacity(100_000);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&vec![0; 6_000_000], &mut message, FlushCompress::Sync).unwrap();
    message.truncate(message.len() - 4);
    let len = u16::try_from(message.len()).expect("it fits a read").to_be_bytes();
    let sent = [&b"\xc2\xfe"[..], &len, &[0; 4], &message, b"\x88\x80\0\0\0\0"].concat();
    (sent, [&b"\xc2\x7e"[..], &len, &message, b"\x88\0"].concat())
}

#[test]
fn a_message_that_inflates_to_much_takes_several_turns() {
    let (sent, echo) = bomb();
    let mut harness = Harness::with_policy(deflate_policy(), &[deflate_upgrade().as_bytes()]);
    harness.readable();
    outgoing(&mut harness);
    harness.stream().incoming.push_back(Ok(sent));
    let mut turn = harness.readable();
    let mut turns = 1;
    while turn == Turn::Again {
        turn = harness.turn();
        turns += 1;
    }
    assert!(turns > 3, "{turns} turns");
    assert!(harness.stream().outgoing == echo, "the echo is complete");
    assert!(harness.stream().half_closed);
}

#[test]
fn a_message_over_tls_that_inflates_to_much_is_served_before_the_end() {
    let (sent, echo) = bomb();
    let mut harness = TlsHarness::new(deflate_policy());
    harness.client.write(deflate_upgrade().as_bytes());
    harness.exchange();
    harness.client.write(&sent);
    harness.client.connection.send_close_notify();
    harness.exchange();
    harness.exchange();
    assert!(harness.client.received.ends_with(&echo), "the echo is complete");
    assert!(harness.harness.stream().half_closed);
}

#[test]
fn a_drain_waits_for_the_last_fragment_of_a_message() {
    let mut harness = http(&[UPGRADE.as_bytes(), b"\x01\x81\0\0\0\0a"]);
    harness.run();
    outgoing(&mut harness);
    harness.connection.drain();
    harness.turn();
    assert_eq!(outgoing(&mut harness), "", "the message goes on");
    harness.stream().incoming.push_back(Ok(b"\x80\x81\0\0\0\0b".to_vec()));
    harness.readable();
    let expected = b"\x80\x01b\x88\x17\x03\xe9the server shuts down";
    assert_eq!(harness.stream().outgoing, expected);
}

#[test]
fn a_drain_closes_a_websocket_and_waits_for_its_answer() {
    let mut harness = http(&[UPGRADE.as_bytes()]);
    harness.readable();
    outgoing(&mut harness);
    harness.stream().incoming.push_back(Ok(HELLO.to_vec()));
    harness.connection.drain();
    assert_eq!(harness.turn(), Turn::Wait);
    let close = b"\x88\x17\x03\xe9the server shuts down";
    assert_eq!(harness.stream().outgoing, [ECHO, close].concat(), "what had arrived is served");
    assert!(!harness.stream().half_closed, "the client has the next word");
    harness.stream().incoming.push_back(Ok(b"\x88\x82\0\0\0\0\x03\xe9".to_vec()));
    harness.readable();
    assert!(harness.stream().half_closed);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Drain));
}

#[test]
fn a_drain_ends_a_client_that_does_not_answer_a_close() {
    let mut harness = http(&[UPGRADE.as_bytes()]);
    harness.readable();
    harness.connection.drain();
    harness.turn();
    pass(&mut harness, limits::CLOSE_TIMEOUT);
    assert!(harness.stream().half_closed);
}

#[test]
fn a_drain_waits_for_a_client_that_was_silent_for_almost_the_idle_timeout() {
    let idle_timeout = 2 * limits::CLOSE_TIMEOUT;
    let policy = policy().with_timeouts(Some(idle_timeout), None);
    let mut harness = Harness::with_policy(policy, &[UPGRADE.as_bytes()]);
    harness.readable();
    assert_eq!(pass(&mut harness, idle_timeout * 9 / 10), Turn::Wait);
    harness.connection.drain();
    harness.turn();
    assert_eq!(pass(&mut harness, limits::CLOSE_TIMEOUT * 9 / 10), Turn::Wait);
    assert_eq!(harness.connection.close_reason, None, "it waits for the answer to its close");
}

#[test]
fn a_ping_that_a_client_does_not_take_has_the_whole_write_timeout() {
    let write_timeout = limits::PING_INTERVAL / 2;
    let policy = policy().with_timeouts(None, Some(write_timeout));
    let mut harness = Harness::with_policy(policy, &[UPGRADE.as_bytes()]);
    harness.readable();
    harness.stream().write_sizes = [0; 4].into();
    assert_eq!(pass(&mut harness, limits::PING_INTERVAL), Turn::Wait);
    assert!(harness.connection.wants_write());
    assert_eq!(pass(&mut harness, write_timeout * 9 / 10), Turn::Wait);
    assert_eq!(pass(&mut harness, write_timeout / 10), Turn::Over);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::WriteTimeout));
}

#[test]
fn a_drain_ends_an_idle_connection_at_once_and_a_request_at_its_end() {
    let mut idle = http(&[GET.as_bytes()]);
    idle.readable();
    idle.connection.drain();
    idle.turn();
    assert!(idle.stream().half_closed);

    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab";
    let mut busy = http(&[head]);
    busy.readable();
    busy.connection.drain();
    busy.turn();
    assert!(!busy.stream().half_closed);
    busy.stream().incoming.push_back(Ok(b"cd".to_vec()));
    busy.readable();
    assert!(outgoing(&mut busy).ends_with("\r\n\r\nabcd"));
    assert!(busy.stream().half_closed);
}

#[test]
fn replies_that_the_client_does_not_take_hold_back_its_requests() {
    let requests = GET.repeat(400);
    let mut harness = http(&[requests.as_bytes(), END]);
    harness.stream().write_sizes = [100, 0].into();
    harness.readable();
    assert!(harness.connection.unsent() < 2 * requests.len(), "one response is buffered");
    for _ in 0..20 {
        harness.stream().write_sizes = [3000, 0].into();
        harness.turn();
    }
    harness.stream().write_sizes.clear();
    while harness.connection.wants_write() {
        harness.turn();
    }
    assert_eq!(harness.run(), Turn::Over);
    assert_eq!(outgoing(&mut harness).matches("HTTP/1.1 200 OK").count(), 400);
}

#[test]
fn a_client_that_ends_its_layer_behind_its_last_request_has_its_end_after_the_response() {
    let wire = ScrambledPeer::encode(GET.as_bytes(), true);
    let mut harness = Harness::with_policy(policy().with_layer(NewScrambled), &[&wire]);
    harness.stream().write_sizes = [50, 0].into();
    harness.readable();
    assert!(harness.connection.wants_write());
    harness.turn();
    let (response, has_ended) = ScrambledPeer::received(&harness.stream().outgoing);
    assert!(response.starts_with(b"HTTP/1.1 200 OK") && has_ended);
    assert!(harness.stream().half_closed);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Fin));
}

/// A connection over TLS with its client.
struct TlsHarness {
    harness: Harness,
    client: Client,
}

impl TlsHarness {
    /// Connects.
    fn new(policy: ConnectionPolicy) -> Self {
        let server = TestCa::get().server(&[&TLS13]);
        let harness = Harness::with_policy(policy.with_layer(NewTls(Arc::new(server))), &[]);
        let client = Client::new(&Arc::new(TestCa::get().client(None)));
        let mut connected = Self { harness, client };
        while connected.client.connection.is_handshaking() {
            connected.exchange();
        }
        connected
    }

    fn exchange(&mut self) {
        let wire = self.client.wire();
        if !wire.is_empty() {
            self.harness.stream().incoming.push_back(Ok(wire));
        }
        while self.harness.readable() == Turn::Again {}
        let answer = std::mem::take(&mut self.harness.stream().outgoing);
        self.client.receive(&answer).expect("the client accepts what the server sends");
    }
}

/// The client ends its direction in the same records that hold its requests.
#[test]
fn requests_over_tls_that_were_held_back_are_served_before_the_end() {
    let mut connected = TlsHarness::new(policy());
    connected.client.write(GET.repeat(200).as_bytes());
    connected.client.connection.send_close_notify();
    connected.harness.stream().write_sizes = [50, 0].into();
    connected.exchange();
    assert!(connected.harness.connection.wants_write());
    while connected.harness.connection.wants_write() {
        connected.exchange();
    }
    connected.exchange();
    let received = String::from_utf8_lossy(&connected.client.received).into_owned();
    assert_eq!(received.matches("HTTP/1.1 200 OK").count(), 200);
    assert!(connected.harness.stream().half_closed);
}
