//! Each fault does what its name says.

use std::{
    io::{self, Read as _},
    time::{Duration, Instant},
};

use super::{
    fault::Fault,
    server::FaultServer,
    shared::{Shared, State},
    stream::{Action, FaultyEcho},
};
use crate::net::Peer;

const SENT: &[u8] = b"one\ntwo\nthree\n";

/// Asserts the reply to [`SENT`], and that it does not depend on how the input is split.
#[track_caller]
fn assert_reply(fault: Fault, expected: &str, action: Action) {
    let shared = Shared::new(State { sent: 0, message: Some(b"other\n".to_vec()) });
    for size in 1..=SENT.len() {
        let (mut echo, mut reply) = (FaultyEcho::new(fault), Vec::new());
        let last = SENT
            .chunks(size)
            .map(|piece| echo.receive(piece, &mut reply, &shared))
            .find(|action| *action != Action::Continue);
        assert_eq!(str::from_utf8(&reply), Ok(expected), "in pieces of {size}");
        assert_eq!(last.unwrap_or(Action::Continue), action, "in pieces of {size}");
    }
}

#[test]
fn each_fault_is_at_the_place_that_it_names() {
    assert_reply(Fault::None, "one\ntwo\nthree\n", Action::Continue);
    assert_reply(Fault::FlipBit(6), "one\ntwn\nthree\n", Action::Continue);
    assert_reply(Fault::DropByte(7), "one\ntwothree\n", Action::Continue);
    assert_reply(Fault::DropMessage(1), "one\nthree\n", Action::Continue);
    assert_reply(Fault::RepeatMessage(1), "one\ntwo\ntwo\nthree\n", Action::Continue);
    assert_reply(Fault::SwapMessages(0), "two\none\nthree\n", Action::Continue);
    assert_reply(Fault::ReplaceMessage(1), "one\nother\nthree\n", Action::Continue);
    assert_reply(Fault::CloseAfter(5), "one\nt", Action::Close);
    assert_reply(Fault::ResetAfter(4), "one\n", Action::Reset);
    assert_reply(Fault::SilentAfter(0), "", Action::Stall);
}

#[test]
fn only_the_first_connection_has_the_fault() {
    let server = FaultServer::on_first_connection(Fault::FlipBit(0));
    let mut first = Peer::connect(server.address());
    let mut second = Peer::connect(server.address());
    second.exchange(b"two\n");
    first.send(b"one\n");
    first.expect(b"nne\n");
    server.wait_for_bytes(8);
}

#[test]
fn connections_are_closed_and_reset_where_the_fault_says() {
    let connect = |fault| Peer::connect(FaultServer::on_all_connections(fault).address());
    connect(Fault::CloseImmediately).expect_end();
    let mut closed = connect(Fault::CloseAfter(2));
    closed.send(b"one\n");
    closed.expect_to_end(b"on");
    let mut reset = connect(Fault::ResetAfter(0));
    reset.send(b"one\n");
    let error = reset.stream().read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_delayed_reply_is_late_and_complete() {
    let start = Instant::now();
    let delay = Duration::from_millis(5);
    let server = FaultServer::on_all_connections(Fault::Delay(delay));
    Peer::connect(server.address()).exchange(SENT);
    assert!(start.elapsed() >= delay);
}

#[test]
fn a_pause_is_at_the_end_of_its_period() {
    let ms = Duration::from_millis;
    let pause = Fault::Pause { length: ms(100), every: ms(1000) };
    for (at, delay) in [(0, 0), (899, 0), (900, 100), (950, 50), (1000, 0), (1999, 1)] {
        assert_eq!(pause.delay(ms(at)), ms(delay), "at {at} ms");
    }
}
