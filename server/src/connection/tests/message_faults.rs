//! Echoes whose messages are dropped, sent twice, or sent later.

use common::{frame::encode, protocol::MAX_EXIT_PAYLOAD};

use super::*;
use crate::config::{FaultKind, FaultRule, Faults, Listener, Share, limits::REORDER_WAIT};

fn faults(kinds: &[FaultKind]) -> Arc<Faults> {
    let rules = kinds.iter().cloned().map(FaultRule::always).collect();
    Arc::new(Faults { seed: Some(7), rules })
}

fn faulty(protocol: Protocol, kinds: &[FaultKind], incoming: &[&[u8]]) -> Harness {
    let mut listener = Listener::tcp("127.0.0.1", 0);
    listener.options.protocol = protocol;
    listener.options.faults = Some(faults(kinds));
    let mut harness = Harness::with_policy(ConnectionPolicy::alone(&listener), incoming);
    harness.update_faults();
    harness
}

impl Harness {
    /// Handles the deadline of the connection.
    fn expire(&mut self) {
        self.now = self.connection.deadline().expect("something is due");
        let telemetry = Recorder::new(0, &self.counters, self.recording);
        assert_eq!(self.connection.expire(self.now, &telemetry), Turn::Again);
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
        self.connection.expire_session(&mut context);
    }
}

#[test]
fn each_message_of_a_listener_is_dropped_or_sent_twice() {
    let frames = [encode(b"one").unwrap(), encode(b"two").unwrap()].concat();
    let twice = [encode(b"one").unwrap().repeat(2), encode(b"two").unwrap().repeat(2)].concat();
    for (protocol, echo, duplicated) in [
        (Protocol::Text, &b"one\ntwo\n"[..], &b"one\none\ntwo\ntwo\n"[..]),
        (Protocol::Length, &frames, &twice),
        (Protocol::Raw, b"one", b"oneone"),
    ] {
        let mut harness = faulty(protocol, &[FaultKind::Duplicate(Share::ALL)], &[echo]);
        harness.run();
        assert_eq!(harness.stream().outgoing, duplicated);
        let mut harness = faulty(protocol, &[FaultKind::Drop(Share::ALL)], &[echo, END]);
        assert_eq!(harness.run(), Turn::Over);
        assert_eq!(harness.stream().outgoing, b"");
        let dropped = harness.connection.counters.injected_faults.sum();
        assert_eq!(dropped, if protocol == Protocol::Raw { 1 } else { 2 });
    }
}

#[test]
fn a_message_that_no_other_follows_is_sent_at_its_deadline() {
    let mut harness = faulty(Protocol::Text, &[FaultKind::Reorder(Share::ALL)], &[b"one\n"]);
    let start = harness.now;
    harness.run();
    assert_eq!(harness.stream().outgoing, b"");
    harness.connection.is_logged = true;
    assert_eq!(harness.connection.deadline(), Some(start + REORDER_WAIT));
    harness.expire();
    assert_eq!(harness.stream().outgoing, b"one\n");
    assert_eq!(harness.connection.counters.injected_faults.sum(), 0);
    harness.stream().incoming.extend([Ok(b"two\nthree\n".to_vec())]);
    harness.run();
    assert_eq!(harness.stream().outgoing, b"one\nthree\ntwo\n");
    assert_eq!(harness.connection.counters.injected_faults.sum(), 1);
}

#[test]
fn a_held_message_precedes_a_reply_the_end_of_the_stream_and_that_of_a_drain() {
    let reorder = [FaultKind::Reorder(Share::ALL)];
    for (incoming, expected) in [
        (&[&b"one\nexit\n"[..]][..], &b"one\nGoodbye!\n"[..]),
        (&[b"one\n", END], b"one\n"),
        (&[b"one\nand a par", b"t", END], b"one\nand a part"),
    ] {
        let mut harness = faulty(Protocol::Text, &reorder, incoming);
        harness.run();
        assert_eq!(harness.stream().outgoing, expected);
        assert!(harness.stream().half_closed || incoming.len() > 1);
    }
    let mut harness = faulty(Protocol::Text, &reorder, &[b"one\n"]);
    harness.connection.drain();
    harness.turn();
    assert_eq!(harness.stream().outgoing, b"one\n");
    assert!(harness.stream().half_closed);
}

#[test]
fn cleared_faults_release_a_held_message() {
    let mut harness = faulty(Protocol::Text, &[FaultKind::Reorder(Share::ALL)], &[b"one\n"]);
    harness.run();
    harness.connection.permit.policy().faults.clear();
    assert!(harness.update_faults());
    harness.turn();
    assert_eq!(harness.stream().outgoing, b"one\n");
    harness.stream().incoming.extend([Ok(b"two\n".to_vec())]);
    harness.run();
    assert_eq!(harness.stream().outgoing, b"one\ntwo\n");
}

#[test]
fn faults_of_an_open_connection_begin_behind_the_present_message() {
    capture_log();
    let long = encode(&[b'x'; MAX_EXIT_PAYLOAD as usize + 1]).unwrap();
    let (first, second) = long.split_at(50);
    let short = encode(b"y").unwrap();
    let mut harness = Harness::new(Protocol::Length, &[&short, first]);
    harness.run();
    let changed = faults(&[FaultKind::Duplicate(Share::ALL)]);
    harness.connection.permit.policy().faults.set(Some(&changed), harness.now);
    assert!(harness.update_faults());
    harness.stream().incoming.extend([second, &short].map(|chunk| Ok(chunk.to_vec())));
    harness.run();
    harness.stream().outgoing.clear();
    harness.stream().incoming.extend([Ok(short.clone())]);
    harness.run();
    assert_eq!(harness.stream().outgoing, short.repeat(2));
    let line = lines().into_iter().find(|line| line.contains("Fault injected")).unwrap();
    let offset = short.len() + long.len();
    let place = format!("duplicate at byte {offset} of the bytes sent, message 2, bytes 5");
    assert!(line.contains(&place), "{line}");
}
