//! All protocols.

use std::time::Instant;

use common::protocol::Protocol;
use proptest::prelude::*;

use super::{
    session::Session,
    step::{Next, Reason, Reply},
};

/// Returns the bytes that a peer receives for these reads, and why its session ended.
pub(crate) fn run_session(protocol: Protocol, reads: &[&[u8]]) -> (Vec<u8>, Option<Reason>) {
    let mut session = Session::new(protocol);
    let (mut held, mut replies) = (Vec::new(), Vec::new());
    for read in reads {
        let mut input = [&held[..], read].concat();
        let step = session.receive(&mut input, Instant::now());
        assert!(step.echo <= step.consumed && step.consumed <= input.len());
        replies.extend_from_slice(&input[..step.echo]);
        if let Some(Reply { bytes, next }) = step.reply {
            replies.extend_from_slice(&bytes);
            let Next::Close(reason) = next else { unreachable!("replies end these protocols") };
            return (replies, Some(reason));
        }
        held = input[step.consumed..].to_vec();
    }
    // At the end of the stream the held bytes are echoed.
    replies.extend_from_slice(&held);
    (replies, None)
}

#[test]
fn raw_echoes_an_exit() {
    let reads: [&[u8]; 3] = [b"exit", b"exit\n", b"\0\xff"];
    assert_eq!(run_session(Protocol::Raw, &reads), (b"exitexit\n\0\xff".to_vec(), None));
}

/// Returns the number of messages in these reads, with an unfinished one at the end.
fn count_messages(protocol: Protocol, reads: &[&[u8]]) -> isize {
    let mut session = Session::new(protocol);
    let mut held = Vec::new();
    let messages = reads.iter().map(|read| {
        let mut input = [&held[..], read].concat();
        let step = session.receive(&mut input, Instant::now());
        let is_over = step.reply.is_some();
        held = if is_over { Vec::new() } else { input[step.consumed..].to_vec() };
        step.messages
    });
    let messages: isize = messages.sum();
    messages + session.unfinished_messages() + isize::from(!held.is_empty())
}

#[test]
fn counts_lines_frames_and_the_reads_of_a_peer_without_newlines() {
    let count = |reads: &[&[u8]]| count_messages(Protocol::Text, reads);
    assert_eq!(
        count(&[b"no exit here\nexi\nx\n\nrest"]),
        5,
        "lines that are skipped together count"
    );
    assert_eq!(count(&[b"Hello, Server!", b"again", b"exit"]), 3);
    assert_eq!(count(&[b"a\nexit\nnot received\n"]), 2);
    assert_eq!(count(&[b"Hel", b"lo", b"\n"]), 1, "the reads were pieces of a line");
    let lines = b"one\ntwo\n  \nexit\n";
    for first in 0..lines.len() {
        for second in first..lines.len() {
            let reads = [&lines[..first], &lines[first..second], &lines[second..]];
            let reads: Vec<&[u8]> = reads.into_iter().filter(|read| !read.is_empty()).collect();
            assert_eq!(count(&reads), 4, "split at {first} and {second}");
        }
    }
    assert_eq!(count_messages(Protocol::Raw, &[b"a\nb\n", b"c"]), 2);
    let frames =
        [&b"\0\0\0\x02hi\0\0\0\0"[..], &[0, 0, 2, 0], &[b'x'; 512], b"\0\0\0\x04ex"].concat();
    for at in 0..=frames.len() {
        let reads = [&frames[..at], &frames[at..], b"it"];
        assert_eq!(count_messages(Protocol::Length, &reads), 4, "split at {at}");
    }
}

proptest! {
    /// Input without an exit is echoed, however it is split.
    #[test]
    fn every_protocol_echoes_every_byte(
        reads in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0), 2_u8..5], 1..9), 0..12)
    ) {
        let sent = reads.concat();
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        for protocol in [Protocol::Text, Protocol::Raw, Protocol::Length] {
            let (replies, end) = run_session(protocol, &reads);
            if end.is_none() {
                prop_assert_eq!(&replies, &sent);
            } else {
                prop_assert_eq!(protocol, Protocol::Length);
            }
        }
    }
}
