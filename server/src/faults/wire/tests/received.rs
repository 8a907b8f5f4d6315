//! The received direction, and what holds for both.

use common::fault::FaultAct;

use super::*;
use crate::config::{Jitter, Share};

#[test]
fn without_a_plan_everything_passes() {
    let mut bench = Bench::new([FaultKind::Delay(ms(50))]);
    bench.wire.set_plan(None, false, bench.now);
    bench.arrive(b"abc");
    assert_eq!(bench.receive().1, b"abc");
    assert_eq!(bench.receive().0, Received::Nothing);
    assert_eq!(bench.send(b"abc"), 3);
    assert_eq!((bench.deadline(), bench.acts()), (None, vec![]));
}

#[test]
fn each_read_is_delayed_by_itself_and_the_end_comes_after_all() {
    let mut bench = Bench::new([FaultKind::Delay(ms(50))]);
    bench.arrive(b"one");
    assert_eq!(bench.receive().0, Received::Held);
    bench.at(ms(20)).arrive(b"two");
    bench.socket.has_ended = true;
    assert_eq!(bench.receive().0, Received::Held);
    assert_eq!((bench.deadline(), bench.wire.held()), (Some(ms(50)), 6));
    assert_eq!(bench.at(ms(49)).receive().0, Received::Held);
    assert_eq!(bench.at(ms(50)).receive().1, b"one");
    assert_eq!(bench.receive().0, Received::Held);
    assert_eq!(bench.deadline(), Some(ms(70)));
    assert_eq!(bench.at(ms(70)).receive().1, b"two");
    assert!(bench.wire.holds_back());
    assert_eq!(bench.receive().0, Received::EndOfStream);
    assert_eq!((bench.wire.holds_back(), bench.deadline()), (false, None));
    assert_eq!(bench.acts(), [(Fault::Delay, 0), (Fault::Delay, 3)]);
}

#[test]
fn no_more_is_held_than_a_read_buffer() {
    let mut bench = Bench::new([FaultKind::Delay(ms(50))]);
    for _ in 0..4 {
        bench.arrive(&vec![7; limits::DELAYED_BYTES / 2]);
    }
    assert_eq!(bench.receive().0, Received::Held);
    assert_eq!(bench.wire.held(), limits::DELAYED_BYTES);
    assert_eq!(bench.socket.received.len(), 2, "the rest stays in the socket");
    let mut single = Bench::new([FaultKind::Delay(ms(50))]);
    (0..2 * limits::DELAYED_READS).for_each(|_| single.arrive(b"x"));
    assert_eq!(single.receive().0, Received::Held);
    assert_eq!(single.wire.held(), limits::DELAYED_READS);
}

#[test]
fn jitter_keeps_the_order_of_a_stream_and_is_the_same_for_the_same_seed() {
    let kinds = || {
        let jitter = FaultKind::Jitter { spread: ms(100), distribution: Jitter::Uniform };
        [FaultKind::Delay(ms(10)), jitter]
    };
    let delays = || {
        let mut bench = Bench::new(kinds());
        let mut delays = Vec::new();
        let mut last = Duration::ZERO;
        for index in 0..50_u8 {
            bench.arrive(&[index]);
            while let Received::Held = bench.receive().0 {
                last = bench.deadline().unwrap();
                bench.at(last);
            }
            delays.extend(bench.wire.take_acts().iter().map(|act| (act.offset, act.delay_ns)));
        }
        assert!(last > Duration::ZERO);
        delays
    };
    assert_eq!(delays(), delays());

    let mut bench = Bench::new(kinds());
    for index in 0..100 {
        bench.arrive(&[index]);
    }
    let mut seen = Vec::new();
    loop {
        match bench.receive() {
            (Received::Bytes(_), bytes) => seen.extend(bytes),
            (Received::Held, _) => {
                let next = bench.deadline().unwrap();
                bench.at(next);
            }
            _ => break,
        }
    }
    assert_eq!(seen, (0..100).collect::<Vec<u8>>());
}

#[test]
fn received_bytes_are_collected_for_a_while() {
    let mut bench = Bench::new([FaultKind::Coalesce(ms(20))]);
    bench.arrive(b"a");
    assert_eq!(bench.receive().0, Received::Held);
    bench.at(ms(15)).arrive(b"b");
    assert_eq!(bench.receive().0, Received::Held);
    assert_eq!(bench.deadline(), Some(ms(20)));
    assert_eq!(bench.at(ms(20)).receive().1, b"ab");
    bench.at(ms(21)).arrive(b"c");
    assert_eq!(bench.receive().0, Received::Held);
    assert_eq!(bench.deadline(), Some(ms(41)));
    assert_eq!(bench.acts(), [(Fault::Coalesce, 0), (Fault::Coalesce, 2)]);
}

#[test]
fn a_rate_is_met_in_each_direction() {
    let mut bench = Bench::new([FaultKind::Throttle(bytes(64 * 1024))]);
    bench.arrive(&vec![1; 4 * 1024 * 1024]);
    let (mut received, mut sent, mut wakeups) = (0, 0, 0);
    while bench.now < bench.start + Duration::from_secs(10) {
        while let (Received::Bytes(len), _) = bench.receive() {
            received += len;
        }
        sent += bench.send(&vec![1; 1024 * 1024]);
        let next = bench.deadline().unwrap();
        bench.at(next);
        wakeups += 1;
    }
    for passed in [received, sent] {
        assert!((642_000..=656_000).contains(&passed), "{passed} bytes in 10 s at 65536 B/s");
    }
    assert!(wakeups < 3_000, "{wakeups} wakeups in 10 s");
    assert_eq!(bench.acts().len(), 2, "it is recorded once for each direction");
}

#[test]
fn nothing_passes_before_the_accept_is_over() {
    let mut bench = Bench::new([FaultKind::AcceptDelay(ms(30))]);
    bench.arrive(b"abc");
    assert_eq!(bench.receive().0, Received::Held);
    assert_eq!((bench.send(b"x"), bench.deadline()), (0, Some(ms(30))));
    assert_eq!(bench.at(ms(30)).receive().1, b"abc");
    assert_eq!(bench.send(b"x"), 1);
    assert_eq!(bench.acts(), [(Fault::AcceptDelay, 0)]);
    let mut stall = Bench::new([FaultKind::HandshakeStall(ms(30))]);
    stall.arrive(b"hello");
    assert_eq!((stall.receive().1, stall.send(b"x")), (b"hello".to_vec(), 0));
    assert_eq!(stall.acts(), [(Fault::HandshakeStall, 0)]);
}

#[test]
fn a_fault_does_nothing_outside_of_its_window() {
    let within = |kind| FaultRule { window: Some(ms(100)..ms(200)), ..FaultRule::always(kind) };
    let mut bench = Bench::with_rules(
        vec![within(FaultKind::Delay(ms(5))), within(FaultKind::ResetAfter(3))],
        7,
    );
    bench.arrive(b"abc");
    assert_eq!(bench.receive().1, b"abc");
    bench.send(b"abc");
    assert_eq!(bench.wire.end(), None, "the place of the reset has passed");
    bench.at(ms(100)).arrive(b"def");
    assert_eq!(bench.receive().0, Received::Held);
    bench.at(ms(200)).arrive(b"ghi");
    assert_eq!(bench.receive().1, b"def");
    assert_eq!(bench.receive().1, b"ghi");
    assert_eq!(bench.acts(), [(Fault::Delay, 3)]);
}

#[test]
fn a_share_of_zero_is_inert() {
    let kinds = [
        FaultKind::Delay(ms(5)),
        FaultKind::ResetAfter(0),
        FaultKind::Corrupt(bytes(1)),
        FaultKind::Refuse,
        FaultKind::AcceptDelay(ms(5)),
    ];
    let rules = kinds.map(|kind| FaultRule { share: Share::NONE, ..FaultRule::always(kind) });
    let mut bench = Bench::with_rules(rules.into(), 7);
    bench.arrive(b"abc");
    assert_eq!(bench.receive().1, b"abc");
    assert_eq!(bench.send(b"abc"), 3);
    assert_eq!((bench.wire.end(), bench.deadline(), bench.acts()), (None, None, vec![]));
    assert_eq!(bench.socket.taken, b"abc");
}

#[test]
fn what_is_held_is_due_when_the_faults_are_cleared() {
    let mut bench = Bench::new([
        FaultKind::Delay(ms(5_000)),
        FaultKind::StallAfter { bytes: 0, time: ms(5_000) },
    ]);
    bench.arrive(b"abc");
    assert_eq!((bench.receive().0, bench.send(b"x")), (Received::Held, 0));
    bench.wire.set_plan(None, false, bench.now);
    assert_eq!(bench.receive().1, b"abc");
    assert_eq!((bench.send(b"x"), bench.deadline(), bench.wire.holds_back()), (1, None, false));
}

#[test]
fn an_act_has_its_figures() {
    let mut bench = Bench::new([FaultKind::Delay(ms(50))]);
    bench.arrive(b"abc");
    bench.receive();
    let expected = FaultAct {
        bytes: Some(3),
        delay_ns: Some(50_000_000),
        ..FaultAct::received(Fault::Delay, 0)
    };
    assert_eq!(bench.wire.take_acts(), [expected]);
}
