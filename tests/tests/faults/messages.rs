//! Faults of messages, on each protocol that has any.

use common::{
    fault::{Fault, FaultRecord},
    frame,
};
use tests::{
    net::Peer,
    requirements::{python, skip_without},
};

use crate::{
    faulty::Faulty,
    layers::{tls_client, tls_server},
};

const FAULTS: &str = "drop=10%&duplicate=10%&reorder=10%";
const MESSAGES: usize = 300;
const MASK: [u8; 4] = [1, 2, 3, 4];

/// The part of an echo that is one message.
fn message(number: usize) -> String {
    format!("message {number} {}", "x".repeat(number))
}

/// Returns the echo that the record of the faults explains.
fn explained(echoes: &[Vec<u8>], records: &[FaultRecord]) -> Vec<u8> {
    let (mut expected, mut postponed, mut offset) = (Vec::new(), Vec::new(), 0);
    for (number, echo) in echoes.iter().enumerate() {
        let has = |fault| {
            let mut acts = records.iter().map(|record| record.act);
            let act = acts.find(|act| act.fault == fault && act.message == Some(number as u64));
            let place = act.map(|act| (act.offset, act.bytes));
            assert!(place.is_none_or(|place| place == (offset, Some(echo.len() as u64))));
            // One with a delay has waited for the next one in vain.
            act.is_some_and(|act| act.delay_ns.is_none())
        };
        let (is_dropped, is_duplicate) = (has(Fault::Drop), has(Fault::Duplicate));
        let is_postponed = has(Fault::Reorder);
        offset += echo.len() as u64;
        if is_dropped {
            continue;
        }
        let copies = echo.repeat(if is_duplicate { 2 } else { 1 });
        if is_postponed {
            postponed = copies;
        } else {
            expected.extend(copies);
            expected.append(&mut postponed);
        }
    }
    assert!(postponed.is_empty());
    expected
}

/// Sends messages to a server with faults, and compares what comes back with the record of the faults. `open` opens the session.
#[track_caller]
fn check(
    scheme: &str,
    parameters: &str,
    open: impl FnOnce(&mut Peer),
    sent: &[Vec<u8>],
    echoes: &[Vec<u8>],
    (exit, goodbye): (&[u8], &[u8]),
) {
    let server = Faulty::start(scheme, &[&format!("{FAULTS}{parameters}")], &[]);
    let mut peer = server.process.connect();
    open(&mut peer);
    peer.send(&sent.concat());
    peer.send(exit);
    peer.half_close();
    let received = peer.read_to_end();
    drop(peer);
    let records = server.records();
    for fault in [Fault::Drop, Fault::Duplicate, Fault::Reorder] {
        assert!(records.iter().any(|record| record.act.fault == fault), "{}", fault.name());
    }
    let expected = [&explained(echoes, &records)[..], goodbye].concat();
    assert!(received == expected, "{}", String::from_utf8_lossy(&received));
}

#[test]
fn lines_and_frames_come_back_as_the_fault_log_says() {
    let lines: Vec<Vec<u8>> =
        (0..MESSAGES).map(|number| format!("{}\n", message(number)).into()).collect();
    check("tcp", "", |_| (), &lines, &lines, (b"exit\n", b"Goodbye!\n"));
    let frame = |text: &[u8]| frame::encode(text).expect("it is short");
    let frames: Vec<Vec<u8>> =
        (0..MESSAGES).map(|number| frame(message(number).as_bytes())).collect();
    let ends = (frame(b"exit"), frame(b"Goodbye!"));
    check("tcp", "&protocol=length", |_| (), &frames, &frames, (&ends.0, &ends.1));
}

/// Returns a frame: of a client if there is a mask, otherwise of the server.
fn websocket_frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match u16::try_from(payload.len()).expect("it is short") {
        short @ ..126 => frame.push(bit | short.to_le_bytes()[0]),
        len => frame.extend([&[bit | 0x7e], &len.to_be_bytes()[..]].concat()),
    }
    let mask = mask.inspect(|mask| frame.extend(mask)).unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn open_websocket(peer: &mut Peer) {
    peer.send(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    let response = peer.read_until("\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 101"), "{response}");
    // What follows a message that is missing could not be inflated.
    assert!(!response.contains("deflate"), "{response}");
}

#[test]
fn messages_of_a_websocket_in_fragments_come_back_as_the_fault_log_says() {
    let fragments = |number, mask| {
        let text = message(number);
        let (first, last) = text.as_bytes().split_at(number / 2);
        [websocket_frame(0x01, first, mask), websocket_frame(0x80, last, mask)].concat()
    };
    let sent: Vec<_> = (0..MESSAGES).map(|number| fragments(number, Some(MASK))).collect();
    let echoes: Vec<_> = (0..MESSAGES).map(|number| fragments(number, None)).collect();
    let close = [0x03, 0xe8];
    let ends = (websocket_frame(0x88, &close, Some(MASK)), websocket_frame(0x88, &close, None));
    check("http", "", open_websocket, &sent, &echoes, (&ends.0, &ends.1));
}

#[test]
fn what_is_held_alone_is_sent_before_a_drain_ends_its_connection() {
    let server = Faulty::start("tcp", &["reorder=100%"], &[]);
    let mut peer = server.process.connect();
    peer.send(b"first\nsecond\n");
    peer.expect(b"second\nfirst\n");
    peer.send(b"alone\n");
    server.process.wait_for_log("Received from .*: 'alone'");
    let address = peer.address().to_string();
    let received = std::thread::spawn(move || peer.read_to_end());
    let records = server.records();
    assert_eq!(received.join().expect("no panic"), b"alone\n");
    let [swap, wait] = &records[..] else { panic!("{records:?}") };
    for (record, has_delay) in [(swap, false), (wait, true)] {
        assert_eq!((&record.peer[..], record.act.fault), (&address[..], Fault::Reorder));
        assert_eq!(record.act.delay_ns.is_some(), has_delay, "{record:?}");
    }
}

#[test]
fn messages_over_tls_change_their_places_and_the_records_stay_whole() {
    if skip_without(&[python()]) {
        return;
    }
    let (_ca, server) = tls_server("reorder=100%");
    let finished = tls_client(&server, "one\ntwo\nexit\n");
    assert_eq!(finished.stdout_text(), "two\none\nGoodbye!\n close_notify\n");
}
