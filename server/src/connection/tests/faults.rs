//! Connections with faults whose timers must go on.

use super::*;
use crate::{
    config::{FaultKind, FaultRule, Faults, Share},
    layer::{NewScrambled, ScrambledPeer},
    telemetry::CloseReason,
};

const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
const DELAY: Duration = Duration::from_secs(10);

/// A connection with one fault, of a listener with timeouts.
fn harness(kind: FaultKind, incoming: &[&[u8]]) -> Harness {
    let policy = ConnectionPolicy::for_protocol(Protocol::Text);
    let policy = policy.with_timeouts(Some(WRITE_TIMEOUT), Some(WRITE_TIMEOUT));
    let faults = Faults { seed: Some(1), rules: vec![FaultRule::always(kind)] };
    let mut harness = Harness::with_policy(policy, incoming);
    // Delays count from the clock of the system, if it is ahead.
    harness.now += Duration::from_hours(1);
    let now = harness.now;
    let policy = harness.connection.permit.policy();
    policy.faults.set(Some(&Arc::new(faults)), now);
    let plan = policy.faults.get().unwrap().next_plan();
    let telemetry = Recorder::new(0, &harness.counters, harness.recording);
    harness.connection.begin_with_faults(Some(Box::new(plan)), now, &telemetry);
    harness
}

#[test]
fn a_peer_that_reads_nothing_after_its_end_times_out_in_spite_of_its_faults() {
    let mut harness = harness(FaultKind::Delay(Duration::ZERO), &[b"hello\n", END]);
    harness.stream().write_sizes = vec![0; 100].into();
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.turn(), Turn::Wait);
    harness.connection.send_buffer.as_ref().expect("nothing is sent");
    assert_eq!(harness.connection.deadline(), Some(harness.now + WRITE_TIMEOUT));
    harness.now += WRITE_TIMEOUT;
    let telemetry = Recorder::new(0, &harness.counters, harness.recording);
    assert_eq!(harness.connection.expire(harness.now, &telemetry), Turn::Over);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::WriteTimeout));
}

#[test]
fn what_the_server_itself_delays_does_not_time_out() {
    let mut harness = harness(FaultKind::Delay(DELAY), &[b"hello\n"]);
    harness.connection.is_logged = true;
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.connection.deadline(), Some(harness.now + DELAY));
    harness.now += DELAY;
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.stream().outgoing, b"hello\n");
    assert_eq!(harness.connection.deadline(), Some(harness.now + WRITE_TIMEOUT));
}

#[test]
fn a_peer_that_reads_nothing_times_out_while_the_server_delays_its_next_bytes() {
    let mut harness = harness(FaultKind::Delay(DELAY), &[b"one\n"]);
    assert_eq!(harness.readable(), Turn::Wait);
    harness.now += DELAY;
    harness.stream().incoming.push_back(Ok(b"two\n".to_vec()));
    harness.stream().write_sizes = vec![0; 100].into();
    assert_eq!(harness.readable(), Turn::Wait);
    assert!(harness.connection.send_buffer.is_some(), "the peer does not read");
    assert_eq!(harness.connection.deadline(), Some(harness.now + WRITE_TIMEOUT));
}

#[test]
fn a_peer_that_goes_on_sending_after_its_exit_does_not_linger_for_ever() {
    let mut harness = harness(FaultKind::Delay(DELAY), &[b"exit\n"]);
    assert_eq!(harness.readable(), Turn::Wait);
    harness.now += DELAY;
    assert_eq!(harness.readable(), Turn::Wait);
    assert!(harness.stream().half_closed);
    harness.stream().incoming.push_back(Ok(b"more\n".to_vec()));
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.connection.deadline(), Some(harness.now + limits::LINGER));
}

#[test]
fn the_idle_timeout_begins_when_the_server_begins_to_receive() {
    let mut harness = harness(FaultKind::AcceptDelay(DELAY), &[]);
    harness.connection.is_logged = true;
    let opens_at = harness.now + DELAY;
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.connection.deadline(), Some(opens_at));
    harness.now = opens_at;
    assert_eq!(harness.readable(), Turn::Wait);
    assert_eq!(harness.connection.deadline(), Some(opens_at + WRITE_TIMEOUT));
}

#[test]
fn a_refused_connection_ends_also_in_a_drain() {
    let mut harness = harness(FaultKind::Refuse, &[]);
    harness.connection.drain();
    assert_eq!(harness.turn(), Turn::Over);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Fault));
}

#[test]
fn a_reset_in_the_last_bytes_takes_the_place_of_the_end() {
    let mut harness = harness(FaultKind::ResetAfter(6), &[b"exit\n"]);
    assert_eq!(harness.readable(), Turn::Over);
    assert_eq!(harness.stream().outgoing.len(), 6);
    assert_eq!(harness.connection.close_reason, Some(CloseReason::Fault));
}

#[test]
fn a_peer_that_resets_is_noticed_while_faults_hold_everything_back() {
    for kind in [FaultKind::AcceptDelay(DELAY), FaultKind::StallAfter { bytes: 0, time: DELAY }] {
        let mut harness = harness(kind, &[b"hello\n"]);
        assert_eq!(harness.readable(), Turn::Wait);
        harness.stream().is_reset_by_peer = true;
        harness.connection.set_ready(Readiness { readable: true, has_more: true });
        assert_eq!(harness.turn(), Turn::Over);
        assert_eq!(harness.connection.close_reason, Some(CloseReason::Reset));
    }
}

#[test]
fn an_omitted_end_is_on_record_with_its_seed_after_its_faults_were_cleared() {
    capture_log();
    let policy = ConnectionPolicy::for_protocol(Protocol::Text).with_layer(NewScrambled);
    let kinds = [FaultKind::NoCloseNotify, FaultKind::Reorder(Share::ALL)];
    let faults = Faults { seed: Some(7), rules: kinds.map(FaultRule::always).into() };
    policy.faults.set(Some(&Arc::new(faults)), Instant::now());
    let mut harness = Harness::with_policy(policy, &[&ScrambledPeer::encode(b"hello\n", true)]);
    harness.update_faults();
    harness.stream().write_sizes = [1, 0, 0].into();
    harness.readable();
    harness
        .connection
        .send_buffer
        .as_ref()
        .expect("the end is decided behind a message that is not sent yet");
    harness.connection.permit.policy().faults.clear();
    assert!(harness.update_faults());
    while harness.connection.wants_write() {
        harness.turn();
    }
    assert_eq!(ScrambledPeer::received(&harness.stream().outgoing), (b"hello\n".to_vec(), false));
    let line = "Fault injected for 127.0.0.1:54321: no-close-notify at byte 9 of the bytes sent (seed 7, connection 0)";
    assert_eq!(count_lines(line), 1, "{:?}", lines());
}
