//! Client receipts of sessions without a stream.

use std::time::Instant;

use common::{
    fault::FaultId,
    frame::encode,
    protocol::Protocol,
    receipt::{Comparison, EndedBy, Receipt, StreamTally, Total},
};
use proptest::prelude::*;

use super::ReceiptSession;
use crate::{
    faults::FaultPlan,
    session::{
        Attributes, EndCause, Exchange, ProtocolHandler, Reason, run_handler, tests::run_session,
    },
};

/// Returns the bytes that a client receives for these reads, and the reason of an end before that of its stream.
fn run(protocol: Protocol, reads: &[&[u8]]) -> (Vec<u8>, Option<Reason>) {
    let session = ReceiptSession::new(protocol).unwrap();
    let (Exchange { mut received, ended, .. }, mut session) = run_handler(Box::new(session), reads);
    if ended.is_none() {
        // What was not echoed is an incomplete frame.
        let rest = &reads.concat()[received.len()..];
        let step = session.receive_rest(rest).unwrap();
        received.extend_from_slice(&rest[..step.echo]);
        received.extend_from_slice(&session.end(EndCause::EndOfStream, Instant::now()));
    }
    (received, ended)
}

/// Checks the receipt that ends `received`; returns the bytes before it.
#[track_caller]
fn check(received: &[u8], sent: &[u8]) -> (Vec<u8>, Receipt) {
    let mut stream = StreamTally::default();
    stream.update(received);
    let (before, receipt) = stream.finish(&Total::of(sent)).expect("a receipt");
    let comparison = Comparison::new(&Total::of(sent), &before, &receipt);
    assert!(comparison.is_intact(), "{comparison}");
    let len = usize::try_from(before.bytes).unwrap();
    (received[..len].to_vec(), receipt)
}

#[test]
fn a_receipt_is_a_line_behind_the_echo_or_the_goodbye() {
    for (sent, before) in [
        (&b""[..], &b""[..]),
        (b"one\ntwo\n", b"one\ntwo\n"),
        (b"one\nexit\n", b"one\nGoodbye!\n"),
        (b"exit\r\n", b"Goodbye!\r\n"),
        // The receipt needs a newline before it.
        (b"one", b"one\n"),
        (b"exit", b"Goodbye!\n"),
    ] {
        let (received, _) = run(Protocol::Text, &[sent]);
        assert_eq!(check(&received, sent).0, before);
        assert!(received.ends_with(b"\"}\n"));
    }
}

#[test]
fn a_receipt_is_a_frame_behind_the_echo_the_goodbye_and_a_refusal() {
    let frame = |text: &[u8]| encode(text).unwrap();
    let refusal = frame(b"Error: a frame of 4294967295 bytes is over the limit of 16777216");
    for (sent, before) in [
        (vec![], vec![]),
        (frame(b"hello"), frame(b"hello")),
        ([frame(b"x"), frame(b"exit")].concat(), [frame(b"x"), frame(b"Goodbye!")].concat()),
        (vec![0xff; 4], refusal),
        (b"\0\0\0\x09cut".to_vec(), b"\0\0\0\x09cut".to_vec()),
    ] {
        let (received, _) = run(Protocol::Length, &[&sent]);
        let (echo, receipt) = check(&received, &sent);
        assert_eq!(echo, before);
        assert!(received.ends_with(&frame(receipt.to_string().as_bytes())));
    }
}

#[test]
fn bytes_after_an_exit_are_not_in_the_receipt() {
    let (received, ended) = run(Protocol::Text, &[b"exit\nnot taken\n"]);
    check(&received, b"exit\n");
    assert_eq!(ended, Some(Reason::Exit));
}

#[test]
fn a_receipt_counts_messages_as_the_log_does() {
    for (reads, messages) in [
        (&[&b"one\ntwo\nrest"[..]][..], 3),
        (&[b"no newline", b"nor here"], 2),
        (&[b"one\nexit\n"], 2),
        (&[b""], 0),
    ] {
        let (received, _) = run(Protocol::Text, reads);
        let (_, receipt) = check(&received, &reads.concat());
        assert_eq!((receipt.received.messages, receipt.sent.messages), (messages, messages));
    }
    let stream = [encode(b"one").unwrap(), b"\0\0\0\x09cut".to_vec()].concat();
    let (received, _) = run(Protocol::Length, &[&stream]);
    assert_eq!(check(&received, &stream).1.received.messages, 2);
}

#[test]
fn a_receipt_names_the_side_that_ended_the_connection() {
    let frame = |text: &[u8]| encode(text).unwrap();
    for (protocol, sent, ended_by) in [
        (Protocol::Text, b"one\n".to_vec(), EndedBy::Client),
        (Protocol::Text, b"exit\nmore".to_vec(), EndedBy::Client),
        (Protocol::Length, frame(b"exit"), EndedBy::Client),
        // Over the limit, and not read.
        (Protocol::Length, [&[0xff; 4][..], &[b'x'; 100]].concat(), EndedBy::Server),
    ] {
        let (received, _) = run(protocol, &[&sent]);
        let mut stream = StreamTally::default();
        stream.update(&received);
        let (_, receipt) = stream.finish(&Total::of(&sent)).unwrap();
        assert_eq!(receipt.ended_by, ended_by, "{}", sent.escape_ascii());
    }
}

#[test]
fn a_drain_an_idle_timeout_and_a_removed_user_send_the_receipt() {
    let begun = || {
        let mut session = ReceiptSession::new(Protocol::Text).unwrap();
        session.begin(&Attributes::for_tests(), Instant::now());
        session.receive(&mut b"one\n".to_owned(), Instant::now());
        session
    };
    let reply = begun().drain(Instant::now()).unwrap();
    let drained = check(&[b"one\n", &reply.bytes[..]].concat(), b"one\n").1;
    assert_eq!(drained.ended_by, EndedBy::Server);
    for (cause, ended_by) in [
        (EndCause::EndOfStream, EndedBy::Client),
        (EndCause::IdleTimeout, EndedBy::Server),
        #[cfg(feature = "login")]
        (EndCause::UserRemoved, EndedBy::Server),
    ] {
        let last = begun().end(cause, Instant::now());
        let (_, receipt) = check(&[b"one\n", &last[..]].concat(), b"one\n");
        assert_eq!(receipt.ended_by, ended_by);
    }
}

#[test]
fn raw_has_no_receipt() {
    assert!(ReceiptSession::new(Protocol::Raw).is_none());
}

proptest! {
    /// The session behaves as without a receipt, at any split of any stream.
    #[test]
    fn a_receipt_follows_what_the_plain_session_would_send(
        units in prop::collection::vec(prop::sample::select(vec![
            &b"hello\n"[..], b"ex", b"it", b"\n", b"exit\n", b"\r\n", b"\0\0\0\x05hello", b"\0\0\0\x04exit", b"\0\0\0", b"\xff",
            b"\0\0\x08\0",
        ]), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        is_text: bool,
    ) {
        let stream = units.concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let reads: Vec<&[u8]> = at.windows(2).map(|ends| &stream[ends[0]..ends[1]]).filter(|read| !read.is_empty()).collect();
        let protocol = if is_text { Protocol::Text } else { Protocol::Length };
        let (plain, reason) = run_session(protocol, &reads);
        let (received, ended) = run(protocol, &reads);
        prop_assert_eq!(&ended, &reason);
        prop_assert!(received.starts_with(&plain));
        let mut tally = StreamTally::default();
        tally.update(&received);
        let (before, receipt) = tally.finish(&Total::of(b"other")).unwrap();
        prop_assert_eq!(Comparison::new(&receipt.received, &before, &receipt).is_intact(), true);
        let has_newline = is_text && plain.last().is_some_and(|&last| last != b'\n');
        prop_assert_eq!(before.bytes, plain.len() as u64 + u64::from(has_newline));
        if ended.is_none() {
            prop_assert_eq!(receipt.received.sha256, Total::of(&stream).sha256);
        }
    }
}

#[test]
fn the_receipt_names_what_decides_the_faults_of_the_connection_at_its_end() {
    let mut session = ReceiptSession::new(Protocol::Text).unwrap();
    let faults = Some(FaultId { seed: 7, connection: 3 });
    session.set_faults(Some(&FaultPlan::fixture(1, 0, &[])));
    session.set_faults(Some(&FaultPlan::fixture(7, 3, &[])));
    let last = session.end(EndCause::EndOfStream, Instant::now());
    assert_eq!(check(&last, b"").1.faults(), faults);
}
