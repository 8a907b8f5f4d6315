use std::collections::VecDeque;

use super::*;
use crate::websocket::{Format, Options};

/// Wire below, from a script: what is received, call by call, and how much each send takes.
#[derive(Debug, Default)]
struct Script {
    received: VecDeque<Vec<u8>>,
    sent: Vec<u8>,
    /// Bytes that are taken before the wire would block; `None` takes all.
    room: Option<usize>,
    /// Stays empty.
    ledger: Option<Box<Ledger>>,
}

impl Wire for Script {
    fn new<S>(_: &Context<'_, S>, _: Socket) -> io::Result<Self> {
        Err(Io::Unsupported.into())
    }
    fn socket(&self) -> &Socket {
        unreachable!("a script has no socket")
    }
    fn complete_handshake(&mut self) -> io::Result<bool> {
        Ok(true)
    }
    fn late(&self, _: bool, _: Duration) -> io::Error {
        Io::TimedOut.into()
    }
    fn is_resumed(&self) -> Option<bool> {
        None
    }
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.received.pop_front().ok_or(Io::WouldBlock)?;
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
    fn may_have_more(&mut self) -> bool {
        false
    }
    fn transmit(&mut self, bytes: &[u8], _: impl FnOnce() -> u64) -> io::Result<usize> {
        let len = bytes.len().min(self.room.unwrap_or(usize::MAX));
        if len == 0 {
            return Err(Io::WouldBlock.into());
        }
        self.room = self.room.map(|room| room - len);
        self.sent.extend_from_slice(&bytes[..len]);
        Ok(len)
    }
    fn half_close(&mut self) {}
    fn ledger(&mut self) -> &mut Option<Box<Ledger>> {
        &mut self.ledger
    }
}

fn wire(received: &[&[u8]]) -> WebSocketWire<Script> {
    let received = received.iter().map(|part| part.to_vec()).collect();
    WebSocketWire {
        wire: Script { received, ..Script::default() },
        handshake: None,
        early: Vec::new(),
        decoder: Decoder::default(),
        output: Output::default(),
        messages: MessageCheck::new(false),
        are_events: false,
        was_full: false,
        close: CloseFrames::default(),
        failure: None,
        ledger: None,
    }
}

/// Receives until nothing more comes: the bytes, and the end.
fn receive_all(wire: &mut WebSocketWire<Script>) -> (Vec<u8>, String) {
    let (mut all, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        match wire.receive(&mut buffer) {
            Ok(0) => return (all, "end".to_owned()),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == Io::Interrupted => {}
            Err(error) => return (all, error.to_string()),
        }
    }
}

/// Returns the frames that were sent, unmasked: first byte and payload.
fn frames(sent: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut frames, mut rest) = (Vec::new(), sent);
    while let [first, second, tail @ ..] = rest {
        assert_eq!(second & 0x80, 0x80, "every frame is masked");
        let (len, tail) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            len => (usize::from(len), tail),
        };
        let (key, tail) = tail.split_at(4);
        let payload = tail[..len].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        frames.push((*first, payload.collect()));
        rest = &tail[len..];
    }
    frames
}

#[test]
fn a_line_with_its_newline_is_one_frame_also_if_it_is_sent_in_parts() {
    let mut wire = wire(&[]);
    assert_eq!(wire.transmit(b"one\ntw", || 2).unwrap(), 6);
    assert_eq!(wire.transmit(b"o\n\n", || 0).unwrap(), 3);
    let expected = [(0x82, b"one\n".to_vec()), (0x82, b"two\n".to_vec()), (0x82, b"\n".to_vec())];
    assert_eq!(frames(&wire.wire.sent), expected);
}

#[test]
fn frames_that_the_socket_does_not_take_are_sent_later_and_nothing_is_taken_meanwhile() {
    for room in 0..14 {
        let mut wire = wire(&[]);
        wire.wire.room = Some(room);
        assert_eq!(wire.transmit(b"one\ntwo\n", || 0).unwrap(), 8);
        let blocked = wire.transmit(b"x\n", || 0).map_err(|error| error.kind());
        assert_eq!(blocked, Err(Io::WouldBlock), "{room} bytes");
        wire.wire.room = None;
        // Any turn sends them, also one without a message to send.
        let _ = wire.receive(&mut [0; 8]);
        let expected = [(0x82, b"one\n".to_vec()), (0x82, b"two\n".to_vec())];
        assert_eq!(frames(&wire.wire.sent), expected, "{room} bytes");
    }
}

#[test]
fn lines_return_at_every_split_with_fragments_and_control_frames_between() {
    let stream = b"\x02\x02on\x89\x02hi\x00\x00\x80\x02e\n\x82\x04two\n\x02\x04six\n\x80\x00";
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        let parts: Vec<_> = [head, tail].into_iter().filter(|part| !part.is_empty()).collect();
        let mut wire = wire(&parts);
        let (bytes, end) = receive_all(&mut wire);
        assert_eq!(bytes, b"one\ntwo\nsix\n", "split at {at}");
        assert!(end.contains("block"), "{end}");
        assert_eq!(frames(&wire.wire.sent), [(0x8a, b"hi".to_vec())], "split at {at}");
    }
}

#[test]
fn a_boundary_that_is_not_at_the_newline_is_a_failure_after_the_right_bytes() {
    for (sent, stream, bytes, text) in [
        (&b"one\n"[..], &b"\x82\x02on\x82\x02e\n"[..], &b"on"[..], "split a message"),
        (b"one\ntwo\n", b"\x82\x08one\ntwo\n", b"one\n", "joined messages"),
        (b"one\ntwo\n", b"\x02\x04one\n\x80\x01t", b"one\n", "joined messages"),
        (b"one\n", b"\x82\x05one\nt", b"one\n", "added bytes to a message"),
        (b"one\ntwo\n", b"\x82\x04one\n\x82\x08two\ntwo\n", b"one\ntwo\n", "added bytes to a"),
        (b"one\n", b"\x82\x04one\n\x82\x00", b"one\n", "split a message"),
    ] {
        let mut wire = wire(&[stream]);
        wire.transmit(sent, || 0).unwrap();
        let (received, end) = receive_all(&mut wire);
        assert_eq!(received, bytes);
        assert!(end.contains(text), "{stream:?}: {end}");
    }
}

#[test]
fn a_message_that_returns_with_another_type_is_a_failure_in_place_of_its_newline() {
    for stream in [&b"\x81\x04one\n"[..], b"\x01\x02on\x80\x02e\n", b"\x01\x04one\n\x80\x00"] {
        for at in 1..=stream.len() {
            let (head, tail) = stream.split_at(at);
            let parts: Vec<_> = [head, tail].into_iter().filter(|part| !part.is_empty()).collect();
            let mut wire = wire(&parts);
            wire.transmit(b"one\n", || 0).unwrap();
            let (received, end) = receive_all(&mut wire);
            assert_eq!(received, b"one", "split at {at}");
            assert!(end.contains("returned a binary message as text"), "{stream:?}: {end}");
        }
    }
    let mut texts = wire(&[b"\x81\x04one\n\x82\x04two\n"]);
    texts.messages = MessageCheck::new(true);
    texts.transmit(b"one\ntwo\n", || 0).unwrap();
    assert_eq!(frames(&texts.wire.sent)[0], (0x81, b"one\n".to_vec()));
    let (received, end) = receive_all(&mut texts);
    assert_eq!(received, b"one\ntwo");
    assert!(end.contains("returned a text as a binary message"), "{end}");
}

#[test]
fn our_close_waits_for_the_close_frame_and_the_end_of_the_server() {
    let mut wire = wire(&[b"\x88\x02\x03\xe8"]);
    wire.half_close();
    assert_eq!(frames(&wire.wire.sent), [(0x88, b"\x03\xe8".to_vec())]);
    let (_, blocked) = receive_all(&mut wire);
    assert!(blocked.contains("block"), "the client that ends first keeps the port: {blocked}");
    wire.wire.received.push_back(Vec::new());
    assert_eq!(receive_all(&mut wire).1, "end");
    assert!(wire.has_closed());
}

#[test]
fn a_close_of_the_server_is_answered_and_ends_the_stream_or_is_a_failure_by_its_code() {
    for (code, text) in [(0xe8, "end"), (0xe9, "end"), (0xf3, "code 1011")] {
        let mut wire = wire(&[&[0x88, 2, 3, code]]);
        let (_, end) = receive_all(&mut wire);
        assert!(end.contains(text), "{end}");
        assert_eq!(frames(&wire.wire.sent), [(0x88, vec![3, code])]);
        assert!(wire.has_closed());
    }
}

#[test]
fn an_end_without_a_close_frame_and_a_violation_are_failures() {
    let mut cut = wire(&[b""]);
    assert!(receive_all(&mut cut).1.contains("code 1006") && !cut.has_closed());
    let mut wrong = wire(&[b"\x82\x81abcd!"]);
    assert!(receive_all(&mut wrong).1.contains("is masked"));
    assert_eq!(frames(&wrong.wire.sent), [(0x88, b"\x03\xea".to_vec())]);
}

#[test]
fn frames_with_the_answer_of_the_handshake_are_received_first() {
    let options = Options {
        url: String::new(),
        host: String::new(),
        target: "/".to_owned(),
        origin: None,
        authorization: None,
        protocols: Vec::new(),
        is_protocol_required: false,
        format: Format::Lines,
    };
    let mut wire = wire(&[b"two\n"]);
    wire.early = b"\x82\x04one\n\x82\x04".to_vec();
    assert_eq!(receive_all(&mut wire).0, b"one\ntwo\n");
    let mut refused = self::wire(&[b"HTTP/1.1 403 Forbidden\r\n\r\n"]);
    refused.handshake = Some(Box::new(Handshake::new(&options)));
    let error = refused.complete_upgrade().unwrap_err();
    assert!(Error::inside(&error).is_some_and(|it| it.to_string().contains("403")), "{error}");
}

#[test]
fn a_ping_within_a_frame_of_ours_has_its_pong_after_the_frame() {
    let mut wire = wire(&[b"\x89\x01?"]);
    wire.transmit(b"on", || 2).unwrap();
    assert!(receive_all(&mut wire).0.is_empty());
    wire.transmit(b"e\n", || 0).unwrap();
    assert_eq!(frames(&wire.wire.sent), [(0x82, b"one\n".to_vec()), (0x8a, b"?".to_vec())]);
}

#[test]
fn a_server_that_pings_and_never_reads_holds_no_turn_and_costs_little_memory() {
    let pings = b"\x89\x01?".repeat(20);
    let mut wire = wire(&vec![&pings[..]; 10_000]);
    wire.wire.room = Some(0);
    for _ in 0..10_000 {
        let interrupted = wire.receive(&mut [0; 64]).map_err(|error| error.kind());
        assert_eq!(interrupted, Err(Io::Interrupted), "each call ends after one read");
    }
    assert!(wire.output.bytes().len() < 80_000, "{}", wire.output.bytes().len());
    // The pong that waits follows when there is room.
    wire.wire.room = None;
    assert!(receive_all(&mut wire).1.contains("block"));
    assert!(wire.output.is_empty());
    assert!(frames(&wire.wire.sent).iter().all(|frame| *frame == (0x8a, b"?".to_vec())));
}

/// Events of a room have no newline on the wire, and any size, type of frame and number of fragments.
#[test]
fn events_become_lines_at_every_split() {
    let stream =
        b"\x81\x03one\x89\x02hi\x01\x02tw\x00\x00\x80\x01o\x81\x00\x81\x03six\x01\x01x\x80\x00";
    for at in 0..=stream.len() {
        for next in at..=stream.len() {
            let parts = [&stream[..at], &stream[at..next], &stream[next..]];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let mut wire = wire(&parts);
            wire.are_events = true;
            let (bytes, end) = receive_all(&mut wire);
            assert_eq!(bytes, b"one\ntwo\n\nsix\nx\n", "split at {at} and {next}");
            assert!(end.contains("block"), "{end}");
        }
    }
}

#[test]
fn a_line_to_a_room_is_a_text_without_its_newline() {
    let mut wire = wire(&[]);
    wire.are_events = true;
    wire.messages = MessageCheck::new(true);
    wire.transmit(b"{}\n[1]\n", || 0).unwrap();
    assert_eq!(frames(&wire.wire.sent), [(0x81, b"{}".to_vec()), (0x81, b"[1]".to_vec())]);
}
