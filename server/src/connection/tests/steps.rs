//! Protocols that reply before their end, or become another one; and receipts.

use std::{borrow::Cow, collections::VecDeque, time::Instant};

use common::{message::Splitter, protocol::Protocol};

use super::{Harness, capture_log, lines};
use crate::{
    config::limits,
    connection::Turn,
    session::{Attributes, Next, ProtocolHandler, Reason, Reply, Session, Step},
};

/// A protocol that takes one step of a list for each call.
#[derive(Debug)]
struct Scripted(VecDeque<Step>);

impl ProtocolHandler for Scripted {
    fn begin(&mut self, _attributes: &Attributes<'_>, _now: Instant) {}

    fn receive(&mut self, input: &mut [u8], _now: Instant) -> Step {
        input.make_ascii_uppercase();
        self.0.pop_front().expect("a step for each call")
    }

    fn splitter(&self) -> Splitter {
        Splitter::new(Protocol::Text)
    }

    fn unfinished_messages(&self) -> isize {
        0
    }

    fn logged(&self) -> usize {
        0
    }

    fn recorded_as(&self) -> Option<&'static str> {
        None
    }

    fn may_end(&self) -> bool {
        false
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn expire(&mut self, _now: Instant) -> Reply {
        unreachable!("it has no deadline")
    }

    fn drain(&mut self, _now: Instant) -> Option<Reply> {
        Some(Reply { bytes: Cow::Borrowed(b"<drain>"), next: Next::Close(Reason::Drain) })
    }
}

fn scripted(steps: impl IntoIterator<Item = Step>) -> Box<dyn ProtocolHandler> {
    Box::new(Scripted(steps.into_iter().collect()))
}

fn step(consumed: usize, echo: usize, reply: &'static str, next: Next) -> Step {
    let bytes = Cow::Borrowed(reply.as_bytes());
    Step { consumed, echo, messages: 1, reply: Some(Reply { bytes, next }) }
}

fn harness(incoming: &[&[u8]], steps: impl IntoIterator<Item = Step>) -> Harness {
    let mut harness = Harness::new(Protocol::Text, incoming);
    harness.connection.session = Session::Other(Box::new(scripted(steps)));
    harness
}

#[test]
fn a_session_may_reply_and_continue_with_the_rest_of_the_read() {
    let steps = [
        step(3, 0, "<one>", Next::Continue),
        step(2, 2, "<two>", Next::Continue),
        Step::echo(2, 1),
        Step::echo(1, 1),
    ];
    let mut harness = harness(&[b"abcdefg", b"h"], steps);
    harness.run();
    assert_eq!(harness.stream().outgoing, b"<one>DE<two>FGH", "a step may change its input");
}

#[test]
fn bytes_that_no_step_consumes_are_held() {
    let mut harness = harness(&[b"abc", b"d"], [Step::echo(1, 1), Step::echo(3, 1)]);
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(&harness.connection.held[..], b"BC");
    harness.readable();
    assert_eq!(harness.stream().outgoing, b"ABCD");
    assert!(harness.connection.held.is_empty());
}

#[test]
fn a_protocol_may_become_another_in_the_middle_of_a_read() {
    let next = scripted([step(2, 0, "<next>", Next::Continue), Step::echo(1, 1), Step::echo(4, 1)]);
    let mut harness = harness(&[b"upab", b"c", b"d"], [step(2, 0, "<up>", Next::Switch(next))]);
    harness.readable();
    assert_eq!(harness.stream().outgoing, b"<up><next>");
    harness.readable();
    assert_eq!(harness.stream().outgoing, b"<up><next>C");
}

#[test]
fn replies_follow_the_echo_at_every_short_write() {
    let expected = b"A<a>B<b>C<c>";
    for at in 0..expected.len() {
        let steps = ["<a>", "<b>", "<c>"].map(|reply| step(1, 1, reply, Next::Continue));
        let mut harness = harness(&[b"abc"], steps);
        harness.stream().write_sizes = (0..at).map(|_| 1).chain([0]).collect();
        harness.readable();
        assert_eq!(harness.stream().outgoing, expected[..at], "nothing overtakes a short write");
        harness.turn();
        assert_eq!(harness.stream().outgoing, expected, "after {at} bytes");
        assert!(!harness.connection.wants_write());
    }
}

#[test]
fn a_session_that_replies_more_than_the_peer_takes_is_held_back() {
    static BYTES: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let reply = || Reply { bytes: Cow::Borrowed(&BYTES), next: Next::Continue };
    let steps = (0..5).map(|_| Step { consumed: 1, echo: 0, messages: 1, reply: Some(reply()) });
    let mut harness = harness(&[b"hello"], steps);
    harness.stream().write_sizes = [0, BYTES.len(), 1, 0].into();
    harness.readable();
    assert_eq!(harness.connection.unsent(), BYTES.len() + 4, "one reply, and the held input");
    harness.turn();
    assert_eq!(harness.stream().outgoing.len(), BYTES.len() + 1);
    harness.turn();
    assert_eq!(harness.stream().outgoing.len(), 5 * BYTES.len());
    assert!(!harness.connection.wants_write() && harness.connection.held.is_empty());
}

#[test]
fn a_reply_over_the_size_of_the_send_buffer_ends_the_connection() {
    let reply = Reply { bytes: vec![b'x'; limits::SEND_BUFFER + 1].into(), next: Next::Continue };
    let step = Step { consumed: 1, echo: 0, messages: 1, reply: Some(reply) };
    let mut harness = harness(&[b"hello"], [step]);
    harness.stream().write_sizes = [0].into();
    capture_log();
    assert_eq!(harness.readable(), Turn::Over);
    assert!(lines().concat().contains("the send buffer is full"), "{:?}", lines());
}

#[test]
fn a_receipt_counts_the_bytes_and_messages_of_each_direction() {
    let read = b"one\ntwo\nthree\nfive5\n";
    for protocol in [Protocol::Text, Protocol::Length] {
        for logs in [false, true] {
            for sent in 0..read.len() {
                let read = if protocol == Protocol::Text { &read[..] } else { &FRAMES };
                let mut harness = Harness::new(protocol, &[read]);
                harness.stream().write_sizes = [sent / 2, sent - sent / 2, 0, 0].into();
                capture_log();
                harness.recording = logs.into();
                harness.readable();
                harness.turn();
                let bytes = usize::try_from(harness.connection.totals.bytes_sent).unwrap();
                let unsent = harness.connection.send_buffer.as_ref().expect("some is unsent");
                let complete = complete_messages(protocol, &read[..bytes]);
                assert_eq!(4 - unsent.messages(), complete, "{protocol:?} after {bytes} bytes");
                let receipt = &harness.connection.totals;
                assert_eq!((receipt.bytes_received, receipt.messages_received), (20, 4));
            }
        }
    }
}

/// Four frames, as long as the lines.
const FRAMES: [u8; 20] = *b"\0\0\0\x01a\0\0\0\0\0\0\0\x02bc\0\0\0\x01d";

fn complete_messages(protocol: Protocol, sent: &[u8]) -> isize {
    let ends: &[usize] = if protocol == Protocol::Text { &[4, 8, 14, 20] } else { &[5, 9, 15, 20] };
    ends.iter().filter(|&&end| end <= sent.len()).count().cast_signed()
}
