//! The close of a connection whose peer has not acknowledged everything.

use common::protocol::Protocol;

use super::{END, Harness, capture_log, lines};
use crate::{
    config::limits,
    connection::{Turn, stage::Stage},
    telemetry::Recorder,
};

/// Returns a connection with an echo that is not acknowledged, and its input.
fn unacknowledged(incoming: &[&[u8]]) -> Harness {
    let mut harness = Harness::new(Protocol::Text, incoming);
    harness.stream().is_unacknowledged = true;
    harness
}

fn large() -> Vec<u8> {
    vec![b'x'; usize::try_from(limits::SAFE_ECHO).unwrap() + 1]
}

#[test]
fn a_large_echo_is_acknowledged_before_the_socket_closes() {
    let mut harness = unacknowledged(&[&large(), END]);
    assert_eq!(harness.run(), Turn::Wait);
    assert!(harness.stream().half_closed);
    assert_eq!(harness.turn(), Turn::Wait, "an event without an acknowledgement");
    harness.stream().is_unacknowledged = false;
    assert_eq!(harness.turn(), Turn::Over);
    assert_eq!(harness.stream().outgoing, large());
}

#[test]
fn a_small_echo_is_left_to_the_system() {
    let mut harness = unacknowledged(&[&large()[1..], END]);
    assert_eq!(harness.run(), Turn::Over);
    assert!(!harness.stream().half_closed);
}

#[test]
fn a_lingering_connection_is_acknowledged_before_the_socket_closes() {
    let mut harness = unacknowledged(&[&large(), b"\nexit\n", END]);
    assert_eq!(harness.run(), Turn::Wait);
    assert_eq!(harness.connection.stage, Stage::Delivering);
    harness.stream().is_unacknowledged = false;
    assert_eq!(harness.turn(), Turn::Over);
}

#[test]
fn a_peer_that_acknowledges_nothing_is_logged_and_left_to_the_system() {
    let mut harness = unacknowledged(&[&large(), END]);
    assert_eq!(harness.run(), Turn::Wait);
    capture_log();
    let deadline = harness.connection.deadline().expect("the wait has a limit");
    assert_eq!(deadline, harness.now + limits::DELIVERY);
    let telemetry = Recorder::new(0, &harness.counters, true);
    assert_eq!(harness.connection.expire(deadline, &telemetry), Turn::Over);
    let line = "Client 127.0.0.1:54321 has not acknowledged all of its echo 1m after the end; the system sends the rest";
    assert_eq!(lines(), [line]);
}
