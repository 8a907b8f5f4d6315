//! One room over every transport.

use std::{io::Read as _, net::SocketAddr};

use common::room::MAX_TEXT;
use serde_json::{Value, json};
use tests::{
    net::Peer,
    programs::{EchoServer, Launch},
};

const MASK: [u8; 4] = [1, 2, 3, 4];

/// Sends a text message of a client.
fn send_message(peer: &mut Peer, text: &str) {
    let masked = text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let mut frame = Vec::new();
    common::websocket::text_frame(text.as_bytes(), &mut frame);
    // A frame of a client has the header of a server's, with the bit and the key of a mask.
    frame.truncate(frame.len() - text.len());
    frame[1] |= 0x80;
    frame.extend(MASK.into_iter().chain(masked));
    peer.send(&frame);
}

/// Returns the address of a listener.
fn address(server: &EchoServer, listener: usize) -> SocketAddr {
    let name = &server.addresses()[listener];
    name.trim_start_matches("http://").parse().expect("an address of TCP")
}

/// Opens a WebSocket at this path.
fn open(address: SocketAddr, path: &str, subprotocol: Option<&str>) -> Peer {
    let mut peer = Peer::connect(address);
    let offer =
        subprotocol.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\n{offer}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    peer.send(request.as_bytes());
    let head = peer.read_until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains(offer.trim_end()), "{head}");
    peer
}

/// Expects a text message of the server.
fn expect_message(peer: &mut Peer, text: &str) {
    let mut frame = Vec::new();
    common::websocket::text_frame(text.as_bytes(), &mut frame);
    peer.expect(&frame);
}

/// Receives the JSON object of a frame of less than 64 KB.
fn receive_object(peer: &mut Peer) -> Value {
    let mut header = [0; 2];
    peer.stream().read_exact(&mut header).expect("a frame");
    let mut len = [0, header[1]];
    if header[1] == 126 {
        peer.stream().read_exact(&mut len).expect("its length");
    }
    let mut payload = vec![0; u16::from_be_bytes(len).into()];
    peer.stream().read_exact(&mut payload).expect("its payload");
    serde_json::from_slice(&payload).expect("an object")
}

/// Expects a JSON object whose time is not known.
fn expect_object(peer: &mut Peer, expected: &Value) {
    let mut object = receive_object(peer);
    if let Some(time) = object.as_object_mut().and_then(|object| object.remove("time")) {
        assert!(time.as_u64().expect("milliseconds") > 1_700_000_000_000);
    }
    assert_eq!(object, *expected);
}

fn start() -> EchoServer {
    let listeners = [
        "tcp://127.0.0.1:0?protocol=room",
        "tcp://127.0.0.1:0?protocol=room&framing=length",
        "http://127.0.0.1:0?protocol=room&room=lobby",
        "http://127.0.0.1:0?protocol=room",
    ];
    let args: Vec<_> = listeners.iter().flat_map(|listen| ["--listen", listen]).collect();
    Launch::new(&args).without_port().start()
}

#[test]
fn lines_frames_and_websockets_share_a_room() {
    let server = start();
    let mut lines = Peer::connect(address(&server, 0));
    lines.send(b"/name lines\n");
    lines.read_until("* guest-1 is now lines\n");
    let mut frames = Peer::connect(address(&server, 1));
    let frame = |text: &str| common::frame::encode(text.as_bytes()).unwrap();
    frames.send(&frame("/name frames"));
    frames.read_until("frames");
    let mut socket = open(address(&server, 2), "/", None);
    send_message(&mut socket, "/name socket");
    expect_message(&mut socket, "* You are guest-3 in lobby, with 2 others");
    expect_message(&mut socket, "* guest-3 joined");
    expect_message(&mut socket, "* You are now socket");
    expect_message(&mut socket, "* guest-3 is now socket");
    let mut objects = open(address(&server, 3), "/lobby", Some("rooms.v1.json"));
    send_message(&mut objects, r#"{"type":"name","name":"objects"}"#);
    let welcome = json!({"type":"welcome","room":"lobby","name":"guest-4","seq":6,"members":4,"recorded":false});
    expect_object(&mut objects, &welcome);
    expect_object(&mut objects, &json!({"type":"joined","seq":7,"name":"guest-4"}));
    expect_object(&mut objects, &json!({"type":"info","text":"You are now objects"}));
    expect_object(&mut objects, &json!({"type":"renamed","seq":8,"name":"guest-4","to":"objects"}));
    lines.read_until("* guest-4 is now objects\n");
    expect_message(&mut socket, "* guest-4 joined");
    expect_message(&mut socket, "* guest-4 is now objects");
    send_message(&mut objects, r#"{"type":"message","text":"/who"}"#);
    let message = json!({"type":"message","seq":9,"name":"objects","text":"/who"});
    expect_object(&mut objects, &message);
    lines.expect(b"objects: /who\n");
    expect_message(&mut socket, "objects: /who");
    frames.read_until("objects/who");
    lines.send(b"\xff\n");
    lines.expect(b"lines: \\xff\n");
    expect_message(&mut socket, "lines: \\xff");
    let message = json!({"type":"message","seq":10,"name":"lines","text":"\\xff"});
    expect_object(&mut objects, &message);
    frames.expect(&[&[0, 0, 0, 16][..], b"m\0\0\0\0\0\0\0\x0a\x05lines\xff"].concat());
    frames.send(&frame("exit"));
    frames.expect_to_end(&frame("Goodbye!"));
    send_message(&mut objects, r#"{"type":"exit"}"#);
    expect_object(&mut objects, &json!({"type":"left","seq":11,"name":"frames"}));
    expect_object(&mut objects, &json!({"type":"goodbye"}));
    objects.expect(&[0x88, 2, 3, 0xe8]);
    expect_message(&mut socket, "* frames left");
    expect_message(&mut socket, "* objects left");
    send_message(&mut socket, "exit");
    expect_message(&mut socket, "Goodbye!");
    socket.expect(&[0x88, 2, 3, 0xe8]);
}

#[test]
fn a_message_in_fragments_is_one_message_and_pings_are_answered() {
    let server = start();
    let mut socket = open(address(&server, 2), "/", None);
    expect_message(&mut socket, "* You are guest-1 in lobby, with nobody else");
    expect_message(&mut socket, "* guest-1 joined");
    let frame = |first: u8, text: &str| {
        let masked = text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let len = 0x80 | u8::try_from(text.len()).unwrap();
        [&[first, len][..], &MASK, &masked.collect::<Vec<_>>()].concat()
    };
    socket.send(
        &[frame(0x01, "hel"), frame(0x89, "ping"), frame(0x80, "lo"), frame(0x82, "bin")].concat(),
    );
    socket.expect(b"\x8a\x04ping");
    expect_message(&mut socket, "guest-1: hello");
    expect_message(&mut socket, "guest-1: bin");
}

#[test]
fn the_path_chooses_the_room_where_that_is_allowed() {
    let server = start();
    let mut socket = open(address(&server, 3), "/team-1", None);
    expect_message(&mut socket, "* You are guest-1 in team-1, with nobody else");
    for (listener, path) in [(2, "/team-1"), (3, "/a/b"), (3, "/-")] {
        let mut peer = Peer::connect(address(&server, listener));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        peer.send(request.as_bytes());
        let head = peer.read_until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
    }
}

#[test]
fn an_object_of_another_form_is_refused_and_the_session_goes_on() {
    let server = start();
    let mut objects = open(address(&server, 2), "/", Some("rooms.v1.json"));
    let welcome = json!({"type":"welcome","room":"lobby","name":"guest-1","seq":0,"members":1,"recorded":false});
    expect_object(&mut objects, &welcome);
    expect_object(&mut objects, &json!({"type":"joined","seq":1,"name":"guest-1"}));
    send_message(&mut objects, "hello");
    let refusal = r#"Expected an object such as {"type":"message","text":"hello"}"#;
    expect_object(&mut objects, &json!({"type":"error","text":refusal}));
    send_message(&mut objects, r#"{"type":"name","name":"@root"}"#);
    let rule =
        "A name has 1 to 32 letters, digits, '.', '_' or '-', and begins with a letter or a digit";
    expect_object(&mut objects, &json!({"type":"error","text":rule}));
    send_message(&mut objects, r#"{"type":"join","room":"other"}"#);
    let rule = "This listener has one room: lobby";
    expect_object(&mut objects, &json!({"type":"error","text":rule}));
}

#[test]
fn an_object_may_have_a_text_of_the_maximum_length_in_escapes() {
    let server = start();
    let mut objects = open(address(&server, 2), "/", Some("rooms.v1.json"));
    for event in ["welcome", "joined"] {
        assert_eq!(receive_object(&mut objects)["type"], event);
    }
    let mut send = |text: &str, expected: &str| {
        send_message(&mut objects, &format!(r#"{{"type":"message","text":"{text}"}}"#));
        assert_eq!(receive_object(&mut objects)["text"], expected);
    };
    let longest = "x".repeat(MAX_TEXT);
    send(&longest, &longest);
    send(&r"\u0078".repeat(MAX_TEXT), &longest);
    send(&format!("{longest}x"), "A message has at most 8192 bytes, this one has 8193");
    send(&"x".repeat(7 * MAX_TEXT), "An object has at most 49216 bytes");
}
