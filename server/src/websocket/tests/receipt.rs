//! Client receipts of a WebSocket, without a stream.

use std::{sync::Arc, time::Instant};

use common::{
    fault::FaultId,
    receipt::{EndedBy, Receipt, Tally, Total},
};
use flate2::{Compress, Compression};

use super::{client, close, deflated, server};
use crate::{
    faults::FaultPlan,
    session::{EndCause, Exchange, ProtocolHandler as _, run_handler},
    websocket::{WebSocket, negotiate},
};

fn websocket(is_compressed: bool) -> WebSocket {
    let deflate = negotiate(["permessage-deflate"]).filter(|_| is_compressed);
    WebSocket::new(Arc::default(), deflate, Instant::now()).with_receipt()
}

fn run(is_compressed: bool, reads: &[&[u8]]) -> Vec<u8> {
    let (Exchange { received, .. }, _) = run_handler(Box::new(websocket(is_compressed)), reads);
    received
}

fn total(bytes: &[u8], messages: isize) -> Total {
    let mut tally = Tally::default();
    tally.update(bytes);
    tally.add_messages(messages);
    tally.total()
}

/// The message with the receipt of a server that received and sent this, when the client ends the WebSocket.
fn receipt(received: &[u8], sent: &[u8], messages: isize) -> Vec<u8> {
    receipt_of(received, sent, messages, EndedBy::Client)
}

fn receipt_of(received: &[u8], sent: &[u8], messages: isize, ended_by: EndedBy) -> Vec<u8> {
    let (received, sent) = (total(received, messages), total(sent, messages));
    let receipt = Receipt::new(received, sent, ended_by);
    server(0x81, receipt.to_string().as_bytes())
}

#[test]
fn a_receipt_is_the_last_message_before_the_answer_to_a_close() {
    let stream = [client(0x81, b"one"), client(0x82, b"two"), client(0x88, b"\x03\xe8")].concat();
    let expected = [
        server(0x81, b"one"),
        server(0x82, b"two"),
        receipt(b"onetwo", b"onetwo", 2),
        close(1000, ""),
    ]
    .concat();
    for at in 0..=stream.len() {
        assert_eq!(run(false, &[&stream[..at], &stream[at..]]), expected, "split at {at}");
    }
    assert_eq!(
        run(false, &[&client(0x88, b"")]),
        [receipt(b"", b"", 0), server(0x88, b"")].concat()
    );
}

#[test]
fn a_receipt_follows_the_goodbye_and_counts_the_exit() {
    let stream = [client(0x81, b"one"), client(0x81, b" EXIT ")].concat();
    let goodbye =
        [server(0x81, b"Goodbye!"), receipt(b"one EXIT ", b"oneGoodbye!", 2), close(1000, "")];
    let expected = [server(0x81, b"one"), goodbye.concat()].concat();
    for at in 0..=stream.len() {
        assert_eq!(run(false, &[&stream[..at], &stream[at..]]), expected, "split at {at}");
    }
}

#[test]
fn a_receipt_counts_compressed_messages_as_they_inflate() {
    let mut compress = Compress::new(Compression::best(), false);
    let long = vec![b'x'; 5_000];
    let messages = [&long[..], b"short", b"exit"].map(|text| deflated(&mut compress, text));
    let stream: Vec<u8> = messages.iter().flat_map(|payload| client(0xc1, payload)).collect();
    let mut echo: Vec<u8> =
        messages[..2].iter().flat_map(|payload| server(0xc1, payload)).collect();
    let (received, sent) =
        ([&long[..], b"shortexit"].concat(), [&long[..], b"shortGoodbye!"].concat());
    echo.extend(server(0x81, b"Goodbye!"));
    echo.extend(receipt(&received, &sent, 3));
    echo.extend(close(1000, ""));
    assert_eq!(run(true, &[&stream]), echo);
}

#[test]
fn a_drain_and_an_idle_timeout_send_the_receipt_before_the_close() {
    let now = Instant::now();
    let mut socket = websocket(false);
    socket.receive(&mut client(0x81, b"one"), now);
    let reply = socket.drain(now).unwrap();
    let expected =
        [receipt_of(b"one", b"one", 1, EndedBy::Server), close(1001, "the server shuts down")]
            .concat();
    assert_eq!(&reply.bytes[..], expected);
    let mut socket = websocket(false);
    let expected =
        [receipt_of(b"", b"", 0, EndedBy::Server), close(1001, "idle for too long")].concat();
    assert_eq!(&socket.end(EndCause::IdleTimeout, now)[..], expected);
}

#[test]
fn between_the_fragments_of_a_message_there_is_no_place_for_a_receipt() {
    let stream = [client(0x01, b"one"), client(0x88, b"")].concat();
    let expected = [server(0x01, b"one"), server(0x88, b"")].concat();
    assert_eq!(run(false, &[&stream]), expected);
    let mut socket = websocket(false);
    socket.receive(&mut client(0x01, b"one"), Instant::now());
    let idle = socket.end(EndCause::IdleTimeout, Instant::now());
    assert_eq!(&idle[..], close(1001, "idle for too long"));
}

#[test]
fn a_peer_that_breaks_a_rule_gets_no_receipt() {
    let stream = [client(0x81, b"one"), client(0x83, b"")].concat();
    let received = run(false, &[&stream]);
    assert!(received.ends_with(&close(1002, "a frame with a reserved opcode")));
    assert!(!received.windows(9).any(|bytes| bytes == b"\"receipt\""));
}

#[test]
fn the_receipt_names_what_decides_the_faults_of_the_connection() {
    let mut socket = websocket(false);
    let faults = Some(FaultId { seed: 7, connection: 3 });
    socket.set_faults(Some(&FaultPlan::fixture(7, 3, &[])));
    let mut close_frame = client(0x88, b"");
    let step = socket.receive(&mut close_frame, Instant::now());
    let empty = total(b"", 0);
    let receipt = Receipt::new(empty, empty, EndedBy::Client).with_faults(faults);
    let expected = [server(0x81, receipt.to_string().as_bytes()), server(0x88, b"")].concat();
    assert_eq!(step.reply.unwrap().bytes, expected);
}
