//! An echo socket whose listener has faults.

use super::*;
use crate::{
    config::{
        FaultKind, FaultRule, Faults, Share,
        limits::{HELD_ANSWERS, REORDER_WAIT},
    },
    shared::SharedState,
    udp::echo_socket::Received,
};

const DELAY: Duration = Duration::from_millis(50);

fn options(kinds: &[FaultKind]) -> ListenerOptions {
    let rules = kinds.iter().cloned().map(FaultRule::always).collect();
    let faults = Some(Arc::new(Faults { seed: Some(7), rules }));
    ListenerOptions { rate: None, faults, ..ListenerOptions::default() }
}

/// Returns a time that the clock does not reach: a delay counts from the arrival of its datagram.
fn later() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

fn delayed() -> Harness {
    Harness::with(&options(&[FaultKind::Delay(DELAY)]))
}

#[test]
fn a_delayed_answer_is_sent_in_a_turn_after_its_delay() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&["one", "two"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    assert_eq!(harness.echo_socket.deadline(), Some(start + DELAY));
    assert_eq!(harness.turn_at(start + DELAY / 2), Turn::Wait);
    assert!(harness.socket.take_sent().is_empty());
    harness.socket.will_receive(&["three"]);
    assert_eq!(harness.turn_at(start + DELAY), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one", "two"]);
    assert_eq!(harness.echo_socket.deadline(), Some(start + 2 * DELAY));
    assert_eq!(harness.listener.worker(0).datagrams.get(), 3);
}

#[test]
fn answers_that_are_due_at_the_same_time_take_several_turns() {
    let (mut harness, start) = (delayed(), later());
    for _ in 0..2 {
        harness.socket.will_receive(&["x"; TURN_DATAGRAMS]);
        assert_eq!(harness.turn_at(start), Turn::Again);
    }
    for _ in 0..2 {
        assert_eq!(harness.turn_at(start + DELAY), Turn::Again);
        assert_eq!(harness.socket.take_sent().len(), TURN_DATAGRAMS);
    }
    assert_eq!(harness.turn_at(start + DELAY), Turn::Wait);
}

#[test]
fn a_held_answer_waits_for_a_full_socket_and_nothing_is_lost() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&["one", "two"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    harness.socket.will_refuse(&[ErrorKind::WouldBlock]);
    assert_eq!(harness.turn_at(start + DELAY), Turn::Wait);
    assert!(harness.echo_socket.wants_write());
    assert_eq!(harness.echo_socket.deadline(), None, "the poll reports when it has room");
    assert_eq!(harness.turn_at(start + DELAY), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one", "two"]);
}

#[test]
fn joined_datagrams_meet_faults_one_by_one() {
    let faults = [FaultKind::Duplicate(Share::ALL), FaultKind::Delay(DELAY)];
    let mut harness = Harness::with(&options(&faults));
    let start = later();
    harness.socket.will_receive_joined("aabbc", 2);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    assert_eq!(harness.turn_at(start + DELAY), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["aa", "aa", "bb", "bb", "c", "c"]);
}

#[test]
fn the_last_message_may_exceed_the_bound_of_held_answers() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&vec!["x"; HELD_ANSWERS - 1]);
    harness.socket.will_receive_joined("aabbcc", 2);
    harness.socket.will_receive(&["more"]);
    while harness.turn_at(start) == Turn::Again {}
    assert_eq!((harness.echo_socket.held(), harness.socket.waiting()), (HELD_ANSWERS + 2, 1));
}

/// A turn has panicked between two datagrams of a message.
#[test]
fn the_datagrams_of_a_message_are_held_after_a_panic() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&["the socket knows its faults"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    harness.socket.will_receive_joined("aabbcc", 2);
    harness.with_context(start, |echo_socket, context| {
        assert!(matches!(echo_socket.receive(1, context), Received::Datagrams { .. }));
        assert_eq!(echo_socket.left(context), 3);
        echo_socket.resume(context);
    });
    assert_eq!(harness.turn_at(start + DELAY), Turn::Wait);
    assert_eq!(harness.socket.take_sent()[1..], ["aa", "bb", "cc"]);
}

#[test]
fn nothing_is_received_while_the_held_answers_are_at_their_bound() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&vec!["x"; HELD_ANSWERS + 1]);
    while harness.turn_at(start) == Turn::Again {}
    assert_eq!(harness.socket.waiting(), 1);
    while harness.turn_at(start + DELAY) == Turn::Again {}
    assert_eq!((harness.socket.waiting(), harness.socket.take_sent().len()), (0, HELD_ANSWERS));
}

#[test]
fn cleared_faults_release_the_held_answers_and_a_later_fault_has_the_place_of_its_datagram() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&["one", "two"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    harness.echo_socket.policy.faults.clear();
    harness.socket.will_receive(&["three"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one", "two", "three"]);
    let faults = options(&[FaultKind::Drop(Share::ALL)]).faults;
    harness.echo_socket.policy.faults.set(faults.as_ref(), start);
    harness.socket.will_receive(&["four"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    assert!(harness.socket.take_sent().is_empty());
}

#[test]
fn a_drain_waits_for_held_answers_and_a_removed_listener_does_not() {
    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&["one"]);
    harness.echo_socket.drain();
    assert_eq!(harness.turn_at(start), Turn::Wait);
    assert!(harness.socket.take_sent().is_empty());
    assert_eq!(harness.turn_at(start + DELAY), Turn::Over);
    assert_eq!(harness.socket.take_sent(), ["one"]);

    let (mut harness, start) = (delayed(), later());
    harness.socket.will_receive(&["one"]);
    assert_eq!(harness.turn_at(start), Turn::Wait);
    Arc::clone(&harness.echo_socket.policy).close(mpsc::channel().0);
    harness.echo_socket.drain();
    assert_eq!(harness.turn_at(start), Turn::Over);
    assert_eq!(harness.socket.take_sent(), ["one"]);
}

/// Without a bound on the datagrams of a drain, a peer that never pauses would keep the socket open.
#[test]
fn a_drain_with_faults_receives_up_to_its_limit() {
    let (mut harness, start) = (delayed(), later());
    harness.echo_socket.drain();
    let mut now = start;
    loop {
        harness.socket.will_receive(&["x"; TURN_DATAGRAMS]);
        now += DELAY;
        if harness.turn_at(now) == Turn::Over {
            break;
        }
        assert!(now < start + 2 * u32::try_from(DRAIN_MESSAGES).unwrap() * DELAY, "it never ends");
    }
    assert_eq!(harness.socket.take_sent().len(), DRAIN_MESSAGES);
}

#[test]
fn a_refused_datagram_meets_no_fault() {
    let rate = std::num::NonZeroU32::new(1);
    let options = ListenerOptions { rate, ..options(&[FaultKind::Duplicate(Share::ALL)]) };
    let mut harness = Harness::with(&options);
    harness.socket.will_receive(&["one", "two"]);
    assert_eq!(harness.turn(), Turn::Wait);
    assert_eq!(harness.socket.take_sent(), ["one", "one"]);
    assert_eq!(harness.listener.worker(0).datagrams_refused.sum(), 1);
}

/// Binds a listener with these faults, and lets the workers serve it.
fn serve(shared: &SharedState<Incoming<Socket>>, kinds: &[FaultKind]) -> (Peer, Arc<UdpPolicy>) {
    let endpoint = any_port();
    let workers = NonZeroUsize::new(WORKERS).unwrap();
    let config = Config { workers, ..Config::default() };
    let listeners = &shared.counters.listeners;
    let listener = Listener { options: options(kinds), ..Listener::new(endpoint.clone()) };
    let addresses = Address::resolve(&endpoint).unwrap();
    let bound = Binder::new(&config, listeners).bind(&listener, &addresses, None).remove(0);
    let Ok(BoundListener::Udp(listener)) = bound else { panic!("{bound:?}") };
    let (peer, policy) = (peer_of(address(&listener)), Arc::clone(&listener.policy));
    shared.open_udp(listener);
    (peer, policy)
}

#[test]
fn a_worker_wakes_for_an_answer_that_is_due() {
    with_workers(|shared| {
        let (peer, _) = serve(shared, &[FaultKind::Delay(DELAY)]);
        for _ in 0..3 {
            let begun = Instant::now();
            assert_eq!(echo(&peer, b"delayed"), b"delayed");
            assert!(begun.elapsed() >= DELAY, "{:?}", begun.elapsed());
        }
        let (peer, _) = serve(shared, &[FaultKind::Reorder(Share::ALL)]);
        let begun = Instant::now();
        assert_eq!(echo(&peer, b"alone"), b"alone");
        assert!(begun.elapsed() >= REORDER_WAIT);
    });
}

#[test]
fn a_drain_of_the_server_sends_what_is_held_at_its_time() {
    let mut peers = Vec::new();
    with_workers(|shared| {
        let begun = Instant::now();
        let (peer, policy) = serve(shared, &[FaultKind::Delay(DELAY)]);
        peer.send(b"held").unwrap();
        while (0..WORKERS).all(|worker| policy.counters.worker(worker).datagrams.get() == 0) {
            thread::yield_now();
        }
        peers.push((peer, begun));
    });
    let (peer, begun) = &peers[0];
    assert!(begun.elapsed() >= DELAY);
    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 4);
}
