//! The sent direction.

use super::*;
use crate::faults::wire::WireEnd;

#[test]
fn a_slow_rate_passes_single_bytes() {
    let mut bench = Bench::new([FaultKind::Throttle(bytes(1))]);
    assert_eq!(bench.send(b"ab"), 0);
    assert_eq!(bench.deadline(), Some(Duration::from_secs(1)));
    assert_eq!(bench.at(Duration::from_secs(1)).send(b"ab"), 1);
    assert_eq!(bench.send(b"b"), 0);
}

#[test]
fn bytes_drip() {
    let mut bench = Bench::new([FaultKind::Drip { bytes: bytes(2), every: ms(10) }]);
    assert_eq!(bench.send(b"abcdef"), 2);
    assert_eq!(bench.deadline(), Some(ms(10)));
    assert_eq!(bench.at(ms(9)).send(b"cdef"), 0);
    assert_eq!(bench.at(ms(10)).send(b"cdef"), 2);
    assert_eq!(bench.acts(), [(Fault::Drip, 0)]);
}

#[test]
fn a_stall_is_at_its_byte_and_happens_once() {
    let mut bench = Bench::new([FaultKind::StallAfter { bytes: 3, time: ms(100) }]);
    assert_eq!(bench.send(b"abcdef"), 3);
    assert_eq!((bench.deadline(), bench.wire.is_gated()), (Some(ms(100)), true));
    assert_eq!(bench.at(ms(99)).send(b"def"), 0);
    assert_eq!(bench.at(ms(100)).send(b"def"), 3);
    assert_eq!(bench.send(b"ghi"), 3);
    assert_eq!(bench.acts(), [(Fault::StallAfter, 3)]);
}

#[test]
fn a_stream_is_split_into_segments_of_the_range() {
    let mut bench = Bench::new([FaultKind::Split { min: bytes(1), max: bytes(7) }]);
    let text: Vec<u8> = (0..=255).collect();
    assert_eq!(bench.send(&text[..100]), 100);
    assert!((15..=100).contains(&bench.socket.writes), "{} segments", bench.socket.writes);
    assert_eq!(bench.socket.taken, text[..100]);
    assert_eq!(bench.acts(), [(Fault::Split, 0)]);
    let mut turn = Bench::new([FaultKind::Split { min: bytes(1), max: bytes(1) }]);
    assert_eq!(turn.send(&text), limits::TURN_SEGMENTS, "a turn has so many segments");
    assert_eq!(turn.deadline(), Some(Duration::ZERO), "and goes on in the next one");
    assert_eq!(turn.at(ms(1)).send(&text), limits::TURN_SEGMENTS);
}

#[test]
fn the_same_bytes_are_damaged_however_they_are_sent() {
    let text = vec![0; 100_000];
    let mut whole = Bench::new([FaultKind::Corrupt(bytes(1000))]);
    let mut sent = 0;
    while sent < text.len() {
        sent += whole.at(ms(sent as u64)).send(&text[sent..]);
    }
    let acts = whole.wire.take_acts();
    assert_eq!(acts.len(), 100, "one in each 1,000 bytes");
    let damaged = whole.socket.taken.iter().enumerate().filter(|(_, byte)| **byte != 0);
    let found: Vec<_> = damaged.map(|(at, mask)| (at as u64, Some(*mask))).collect();
    let recorded: Vec<_> = acts.iter().map(|act| (act.offset, act.mask)).collect();
    assert_eq!(found, recorded);

    let mut pieces = Bench::new([FaultKind::Corrupt(bytes(1000))]);
    for (index, piece) in text.chunks(333).enumerate() {
        assert_eq!(pieces.at(ms(index as u64)).send(piece), piece.len());
    }
    assert_eq!(pieces.socket.taken, whole.socket.taken);
    let other = Bench::with_rules(vec![FaultRule::always(FaultKind::Corrupt(bytes(1000)))], 8);
    let mut other = other;
    other.send(&text);
    assert_ne!(other.socket.taken, whole.socket.taken);
}

#[test]
fn an_end_comes_at_its_byte_and_the_rest_is_discarded() {
    for (kind, end) in [
        (FaultKind::ResetAfter(3), WireEnd::Reset),
        (FaultKind::CloseAfter(3), WireEnd::Close),
        (FaultKind::HalfCloseAfter(3), WireEnd::HalfClose),
        (FaultKind::Truncate(3), WireEnd::Discard),
    ] {
        let fault = kind.fault();
        let mut bench = Bench::new([kind]);
        assert_eq!(bench.send(b"ab"), 2);
        assert_eq!(bench.wire.end(), None);
        assert_eq!(bench.send(b"cdef"), 4, "{end:?}");
        assert_eq!((bench.wire.end(), &bench.socket.taken[..]), (Some(end), &b"abc"[..]));
        assert_eq!((bench.wire.take_discarded(), bench.acts()), (3, vec![(fault, 3)]));
        bench.wire.set_ended();
        bench.wire.set_plan(None, false, bench.now);
        assert_eq!((bench.send(b"g"), bench.socket.taken.len()), (1, 3), "it has no place");
        assert_eq!(bench.wire.end(), None);
    }
}

#[test]
fn the_first_of_two_ends_comes() {
    let mut bench = Bench::new([FaultKind::CloseAfter(5), FaultKind::ResetAfter(2)]);
    bench.send(b"abcdef");
    assert_eq!(
        (bench.wire.end(), bench.acts()),
        (Some(WireEnd::Reset), vec![(Fault::ResetAfter, 2)])
    );
}

#[test]
fn a_refused_connection_ends_before_it_begins() {
    let mut bench = Bench::new([FaultKind::Refuse]);
    assert_eq!((bench.wire.end(), bench.acts()), (Some(WireEnd::Reset), vec![(Fault::Refuse, 0)]));
}

#[test]
fn faults_of_an_open_connection_count_the_bytes_before_them() {
    let mut bench = Bench::new([FaultKind::NoCloseNotify]);
    assert_eq!(bench.send(b"abcd"), 4);
    let plan = plan_of(vec![FaultRule::always(FaultKind::ResetAfter(6))], 1, bench.now);
    bench.wire.set_plan(Some(plan), false, bench.now);
    bench.send(b"efgh");
    assert_eq!((bench.wire.end(), &bench.socket.taken[..]), (Some(WireEnd::Reset), &b"abcdef"[..]));
    let refuse = plan_of(vec![FaultRule::always(FaultKind::Refuse)], 1, bench.now);
    let mut open = Bench::new([FaultKind::NoCloseNotify]);
    open.wire.set_plan(Some(refuse), false, open.now);
    assert_eq!(open.wire.end(), None, "it was accepted before");
}

#[test]
fn a_reset_waits_for_the_peer_for_a_while() {
    let mut bench = Bench::new([FaultKind::ResetAfter(0)]);
    bench.send(b"x");
    assert!(bench.wire.postpone_end(bench.now));
    assert_eq!(bench.deadline(), Some(limits::FAULT_RESET_RETRY));
    bench.at(limits::FAULT_RESET_WAIT);
    assert!(!bench.wire.postpone_end(bench.now));
    bench.wire.set_ended();
    assert_eq!(bench.deadline(), None);
}
