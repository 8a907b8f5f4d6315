//! Echoes whose messages are dropped, sent twice, or sent later.

use common::{frame::encode, protocol::MAX_EXIT_PAYLOAD};

use super::*;
use crate::{
    config::{FaultKind, FaultRule, Faults, Listener, Share, limits::REORDER_WAIT},
    layer::{NewScrambled, ScrambledPeer},
};

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
    assert_eq!(harness.connection.counters.injected_faults.sum(), 1);
    harness.stream().incoming.extend([Ok(b"two\nthree\n".to_vec())]);
    harness.run();
    assert_eq!(harness.stream().outgoing, b"one\nthree\ntwo\n");
    assert_eq!(harness.connection.counters.injected_faults.sum(), 2);
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

impl Harness {
    /// Replaces the faults of the listener by those of a seed, and clears them with `None`.
    fn set_faults(&mut self, change: Option<(u64, &[FaultKind])>) {
        let rules = |kinds: &[FaultKind]| kinds.iter().cloned().map(FaultRule::always).collect();
        let changed =
            change.map(|(seed, kinds)| Arc::new(Faults { seed: Some(seed), rules: rules(kinds) }));
        self.connection.permit.policy().faults.set(changed.as_ref(), self.now);
        assert!(self.update_faults());
        self.turn();
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.stream().incoming.push_back(Ok(bytes.to_vec()));
        self.run();
    }
}

/// Returns what the log says about the faults of the connection.
fn injected() -> Vec<String> {
    let lines = lines().into_iter();
    let faults =
        lines.filter_map(|line| Some(line.split_once("Fault injected for ")?.1.to_owned()));
    faults.collect()
}

#[test]
fn a_fault_is_on_record_with_its_seed_after_its_faults_were_cleared_or_replaced() {
    let line = "127.0.0.1:54321: drop at byte 0 of the bytes sent, message 0, bytes 4 (seed 7, connection 0)";
    for change in [None, Some((8, &[FaultKind::Drop(Share::NONE)][..]))] {
        for rest in [&b"e\n"[..], b"e!"] {
            capture_log();
            let mut harness = faulty(Protocol::Text, &[FaultKind::Drop(Share::ALL)], &[b"on"]);
            harness.run();
            harness.set_faults(change);
            harness.receive(rest);
            assert_eq!(harness.stream().outgoing, b"");
            // The end of the second message never arrives.
            let telemetry = Recorder::new(0, &harness.counters, harness.recording);
            harness.connection.close(harness.now, &telemetry);
            assert_eq!(injected(), [line]);
        }
    }
}

#[test]
fn places_count_from_the_beginning_of_a_session_with_a_layer() {
    capture_log();
    let policy = ConnectionPolicy::for_protocol(Protocol::Text).with_layer(NewScrambled);
    let mut harness = Harness::with_policy(policy, &[]);
    harness.receive(&ScrambledPeer::encode(b"one\ntwo\nth", false));
    let record = |text: &[u8]| ScrambledPeer::encode(text, false)[1..].to_vec();
    harness.set_faults(Some((7, &[FaultKind::Delay(Duration::ZERO)])));
    harness.receive(&record(b"ree\n"));
    harness.set_faults(Some((8, &[FaultKind::Drop(Share::ALL)])));
    harness.receive(&record(b"four\n"));
    assert_eq!(ScrambledPeer::received(&harness.stream().outgoing).0, b"one\ntwo\nthree\n");
    let place = "drop at byte 14 of the bytes sent, message 3, bytes 5 (seed 8, connection 0)";
    assert!(injected().iter().any(|line| line.ends_with(place)), "{:?}", lines());
}

#[cfg(feature = "http")]
mod websocket {
    use super::*;

    const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                           Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn open(extensions: &str) -> Harness {
        let mut listener = Listener::tcp("127.0.0.1", 0);
        let http = crate::config::Http { deflate: true, ..Default::default() };
        listener.options.http = Some(Arc::new(http));
        let upgrade = format!("{UPGRADE}{extensions}\r\n");
        let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        let incoming = [&post[..], upgrade.as_bytes()];
        let mut harness = Harness::with_policy(ConnectionPolicy::alone(&listener), &incoming);
        harness.run();
        harness.stream().outgoing.clear();
        harness
    }

    #[test]
    fn places_count_from_the_beginning_of_a_websocket_and_faults_begin_behind_a_whole_message() {
        capture_log();
        let mut harness = open("");
        // Zeros as the mask leave a payload as it is.
        harness.receive(b"\x81\x83\0\0\0\0one\x01\x82\0\0\0\0tw");
        harness.set_faults(Some((7, &[FaultKind::Drop(Share::ALL)])));
        harness.receive(b"\x80\x81\0\0\0\0o\x81\x80\0\0\0\0");
        harness.receive(b"\x81\x85\0\0\0\0three");
        assert_eq!(harness.stream().outgoing, b"\x81\x03one\x01\x02tw\x80\x01o\x81\x00");
        let place = "drop at byte 14 of the bytes sent, message 3, bytes 7 (seed 7, connection 0)";
        assert!(injected().iter().any(|line| line.ends_with(place)), "{:?}", lines());
        harness.set_faults(None);
        harness.set_faults(Some((8, &[FaultKind::CloseCode { code: 1002, after: 5 }])));
        harness.receive(b"\x81\x80\0\0\0\0");
        let place =
            "close-code at byte 23 of the bytes sent, message 5, code 1002 (seed 8, connection 0)";
        assert!(injected().iter().any(|line| line.ends_with(place)), "{:?}", lines());
    }

    #[test]
    fn a_websocket_that_compresses_keeps_its_messages_when_faults_are_set() {
        let all = Share::ALL;
        let kinds = [FaultKind::Drop(all), FaultKind::Duplicate(all), FaultKind::Reorder(all)];
        for kind in kinds {
            let mut harness = open("Sec-WebSocket-Extensions: permessage-deflate\r\n");
            harness.set_faults(Some((7, &[kind])));
            harness.receive(b"\x81\x85\0\0\0\0hello");
            assert_eq!(harness.stream().outgoing, b"\x81\x05hello");
        }
    }
}
