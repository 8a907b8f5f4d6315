//! Batches: datagrams that are received and answered together.

use std::{collections::BTreeMap, num::NonZeroU32};

use super::*;
use crate::{admission::DatagramRefusal, udp::policy::Verdict};

const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5000);

fn at_port(port: u16) -> SocketAddr {
    SocketAddr::new(PEER.ip(), port)
}

/// Returns the number of datagrams of a harness that were refused for such a reason.
fn refused(harness: &Harness, refusal: DatagramRefusal) -> u64 {
    harness.listener.worker(0).datagrams_refused.of(refusal.kind()).get()
}

#[test]
fn datagrams_that_wait_together_are_answered_by_one_call() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["one", "two", "three"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_calls(), [3]);
    let mut harness = Harness::new();
    harness.socket.will_receive(&["x"; TURN_DATAGRAMS]);
    assert_eq!(harness.turn(), Turn::Again);
    assert_eq!(harness.socket.take_calls(), [TURN_DATAGRAMS]);
}

/// A socket that asks for few datagrams, because it had few, answers all that wait in one turn.
#[test]
fn a_batch_grows_with_the_datagrams_that_wait() {
    let mut harness = Harness::new();
    for (waiting, calls) in [(1, &[1][..]), (TURN_DATAGRAMS - 2, &[2, 4, 8]), (3, &[3])] {
        harness.socket.will_receive(&vec!["x"; waiting]);
        assert_eq!(harness.turn(), Turn::Wait);
        assert_eq!(harness.socket.take_calls(), calls);
    }
}

#[test]
fn answers_behind_one_that_fails_are_sent_in_their_order() {
    let mut harness = Harness::new();
    harness.socket.will_receive_from(PEER, &["one"]);
    harness.socket.will_receive_from(OTHER, &["two"]);
    harness.socket.will_receive_from(PEER, &["three", "four"]);
    harness.socket.will_send(1);
    harness.socket.will_refuse(&[ErrorKind::PermissionDenied]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_calls(), [1, 2]);
    assert_eq!(harness.socket.take_sent(), ["one", "three", "four"]);
    let counters = harness.listener.worker(0);
    assert_eq!((counters.datagrams.get(), counters.datagrams_not_sent.get()), (4, 1));
    assert_eq!((counters.messages_sent.get(), counters.bytes_sent.get()), (3, 12));
}

#[test]
fn a_full_socket_keeps_the_rest_of_a_batch_in_its_order() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["one", "two", "", "four"]);
    harness.socket.will_send(1);
    harness.socket.will_refuse(&[WouldBlock]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one"]);

    // Other sockets use the batch of the worker in the meantime.
    let mut other = Harness::new();
    std::mem::swap(&mut harness.batch, &mut other.batch);
    other.socket.will_receive(&["xxx"; 4]);
    assert_eq!(other.turn(), Turn::Wait);
    std::mem::swap(&mut harness.batch, &mut other.batch);

    harness.socket.will_send(1);
    harness.socket.will_refuse(&[WouldBlock]);
    harness.socket.will_receive(&["five"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert!(harness.echo_socket.wants_write());
    assert_eq!((harness.socket.take_sent(), harness.socket.waiting()), (vec!["two".into()], 1));
    assert_eq!(harness.turn(), Turn::Wait);
    assert!(!harness.echo_socket.wants_write());
    assert_eq!(harness.socket.take_sent(), ["", "four", "five"]);
    assert_eq!(harness.listener.worker(0).messages_sent.get(), 5);
}

#[test]
fn refused_datagrams_leave_gaps_in_a_batch() {
    let mut harness = Harness::new();
    harness.socket.will_receive_from(at_port(53), &["from a service"]);
    harness.socket.will_receive(&["one"]);
    harness.socket.will_receive_from(at_port(7000), &["from this port", "twice"]);
    harness.socket.will_receive(&["two"]);
    harness.socket.will_receive_from(at_port(53), &["last"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_calls(), [2]);
    assert_eq!(harness.socket.take_sent(), ["one", "two"]);
    assert_eq!(refused(&harness, DatagramRefusal::ServicePort(53)), 2);
    assert_eq!(refused(&harness, DatagramRefusal::OwnPort(7000)), 2);
    assert_eq!(harness.listener.worker(0).datagrams.get(), 2);

    harness.socket.will_receive_from(at_port(53), &["alone"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert!(harness.socket.take_calls().is_empty(), "nothing is sent");
}

#[test]
fn each_source_of_a_batch_has_its_rate() {
    let rate = NonZeroU32::new(3);
    let mut harness = Harness::with(&ListenerOptions { rate, ..ListenerOptions::default() });
    let now = Instant::now() + Duration::from_secs(1);
    harness.socket.will_receive_from(PEER, &["a", "b"]);
    harness.socket.will_receive_from(OTHER, &["A"]);
    harness.socket.will_receive_from(PEER, &["c", "d"]);
    harness.socket.will_receive_from(OTHER, &["B"]);
    harness.socket.will_receive_from(at_port(9999), &["e"]);
    assert_eq!(harness.turn_at(now), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["a", "b", "A", "c", "B"]);
    let limited = DatagramRefusal::RateLimited(NonZeroU32::MIN);
    assert_eq!(refused(&harness, limited), 2);
    // Within a second the bucket is full again.
    harness.socket.will_receive_from(PEER, &["f"; 4]);
    assert_eq!(harness.turn_at(now + Duration::from_secs(1)), Turn::Wait);
    assert_eq!((harness.socket.take_sent().len(), refused(&harness, limited)), (3, 3));
}

/// Another worker has taken tokens of the source meanwhile, at a time that is later by more than its burst.
#[test]
fn a_worker_that_was_not_scheduled_in_its_turn_refuses_nothing_that_is_within_the_rate() {
    let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
    // A machine that has just started has no such times.
    let (Some(start), Some(late)) = (ago(10), ago(9)) else { return };
    let rate = NonZeroU32::new(2);
    let options = ListenerOptions { rate, ..ListenerOptions::default() };
    let mut harness = Harness::since(start, &options);
    for turn in [Instant::now(), late] {
        harness.socket.will_receive(&["x"]);
        assert_eq!(harness.turn_at(turn), Turn::Wait);
        assert_eq!(harness.socket.take_sent(), ["x"]);
    }
}

/// The system reports an error in the middle of a batch at the next call, without an event.
#[test]
fn an_error_ends_a_batch_and_the_datagrams_behind_it_are_answered_in_the_same_turn() {
    let mut harness = Harness::new();
    harness.socket.will_receive(&["one", "two"]);
    harness.socket.will_fail_to_receive(ErrorKind::ConnectionRefused);
    harness.socket.will_receive(&["three"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one", "two", "three"]);
}

#[test]
fn a_drain_receives_no_more_than_its_limit_in_a_batch() {
    let mut harness = Harness::new();
    harness.echo_socket.draining = Some(3);
    harness.socket.will_receive(&["one", "two", "three", "four"]);
    harness.socket.will_send(2);
    harness.socket.will_refuse(&[WouldBlock]);
    assert_eq!(harness.turn(), Turn::Wait, "an answer waits");
    assert_eq!(harness.turn(), Turn::Over);
    assert_eq!((harness.socket.take_sent().len(), harness.socket.waiting()), (3, 1));
}

/// The policy judges all datagrams of a batch in one call. Verdicts that it has added before it panics have no rate limit yet.
#[test]
fn a_panic_of_the_policy_costs_one_datagram_and_no_datagram_passes_the_rate_limit() {
    let [unlimited, limited] = [None, NonZeroU32::new(2)].map(|rate| {
        let options = ListenerOptions { rate, ..ListenerOptions::default() };
        Harness::with(&options).echo_socket.policy
    });
    let judge = |arrivals: &[Arrival], verdicts: &mut Vec<Verdict>| {
        let panics = arrivals.iter().any(|arrival| arrival.len == 3);
        let policy = if panics { &unlimited } else { &limited };
        policy.judge(arrivals, &[], Instant::now(), verdicts);
        assert!(!panics, "the injected bug");
    };
    let mut batch = Batch::new();
    for len in 1..=5 {
        batch.slots().1.push(0, Arrival::unicast(PEER, len), None);
    }
    let (mut limit, mut panics, mut taken) = (TURN_DATAGRAMS, 0, Vec::new());
    loop {
        match catch_unwind(AssertUnwindSafe(|| batch.judge(limit, judge))) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                panics += 1;
                assert!(batch.next_judged().is_none(), "the verdicts are not final");
                batch.recover();
                limit = 1;
            }
        }
        while let Some((arrival, verdict, _)) = batch.next_judged() {
            taken.push((arrival.len, verdict.route.is_ok()));
        }
    }
    assert_eq!(taken, [(1, true), (2, true), (4, false), (5, false)]);
    assert_eq!(panics, 2, "of the batch, and of one datagram");
}

/// Any course of arrivals and refusals: each datagram is answered once, unless the system refuses its answer for good, and the
/// answers to each source have the order of its datagrams.
#[test]
fn each_datagram_is_answered_once_and_in_the_order_of_its_source() {
    for seed in 0..200 {
        let mut state: u64 = seed;
        let mut random = |below: u64| {
            state = (state ^ 0x9E37_79B9).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let mut harness = Harness::new();
        let mut received: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
        for number in 0..100 {
            let peer = at_port(5000 + u16::try_from(random(3)).unwrap());
            let text = format!("{number}");
            harness.socket.will_receive_from(peer, &[&text]);
            received.entry(peer).or_default().push(text);
            match random(8) {
                0 => harness.socket.will_fail_to_receive(ErrorKind::Interrupted),
                1 => harness.socket.will_refuse(&[WouldBlock]),
                2 => harness.socket.will_refuse(&[ErrorKind::Interrupted]),
                3 => harness.socket.will_refuse(&[ErrorKind::PermissionDenied]),
                more => harness.socket.will_send(usize::try_from(more).unwrap()),
            }
            if random(4) == 0 {
                harness.turn();
            }
        }
        while harness.turn() == Turn::Again || harness.echo_socket.wants_write() {}
        let sent = std::mem::take(&mut harness.socket.0.lock().unwrap().sent);
        let failed = harness.listener.worker(0).datagrams_not_sent.get();
        assert_eq!(sent.len() as u64 + failed, 100, "seed {seed}");
        for (peer, datagrams) in &received {
            let mut datagrams = datagrams.iter();
            for (_, bytes) in sent.iter().filter(|(to, _)| to == peer) {
                // Searches on from the last one, so a repeated or overtaken answer is not found.
                let found = datagrams.any(|datagram| datagram.as_bytes() == bytes);
                assert!(found, "seed {seed}: {bytes:?} to {peer}");
            }
        }
    }
}
