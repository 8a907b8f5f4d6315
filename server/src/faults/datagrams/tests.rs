//! What is sent, and when, for datagrams that arrive at given times.

use std::{
    net::SocketAddr,
    num::NonZeroU64,
    sync::Arc,
    time::{Duration, Instant},
};

use common::fault::{Direction, Fault, FaultAct, FaultId};
use proptest::prelude::*;

use super::FaultyAnswers;
use crate::{
    config::{
        FaultKind, FaultRule, Faults, Jitter, Share,
        limits::{FAULT_SOURCES, HELD_ANSWER_BYTES, HELD_ANSWERS, REORDER_WAIT},
    },
    faults::injector::Injector,
};

const MS: Duration = Duration::from_millis(1);

fn source(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn percent(percent: u32) -> Share {
    Share::from_millionths(percent * 10_000).unwrap()
}

fn injector(rules: Vec<FaultRule>, start: Instant) -> Arc<Injector> {
    Arc::new(Injector::new(Arc::new(Faults { seed: Some(7), rules }), start))
}

fn answers(kinds: &[FaultKind], start: Instant) -> FaultyAnswers<()> {
    let rules = kinds.iter().cloned().map(FaultRule::always).collect();
    FaultyAnswers::new(injector(rules, start))
}

fn sent(answers: &mut FaultyAnswers<()>, now: Instant) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| answers.pop(now)).map(|answer| answer.bytes.to_vec()).collect()
}

/// Returns what is sent, each with its time, if nothing more arrives.
fn sent_until_empty(answers: &mut FaultyAnswers<()>) -> Vec<(Instant, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(at) = answers.deadline() {
        all.extend(sent(answers, at).into_iter().map(|bytes| (at, bytes)));
    }
    all
}

fn injected(answers: &mut FaultyAnswers<()>) -> Vec<(SocketAddr, FaultId, FaultAct)> {
    let mut injected = Vec::new();
    answers.report(|source, plan, act| injected.push((source, plan.id(), *act)));
    injected
}

fn acts(answers: &mut FaultyAnswers<()>) -> Vec<FaultAct> {
    injected(answers).into_iter().map(|(_, _, act)| act).collect()
}

#[test]
fn a_delayed_answer_is_due_after_its_delay() {
    let start = Instant::now();
    let mut answers = answers(&[FaultKind::Delay(50 * MS)], start);
    answers.push(source(1), b"one", (), start);
    answers.push(source(2), b"two", (), start + MS);
    assert_eq!(answers.deadline(), Some(start + 50 * MS));
    assert!(sent(&mut answers, start + 49 * MS).is_empty());
    assert_eq!(sent(&mut answers, start + 50 * MS), [b"one"]);
    assert_eq!(sent(&mut answers, start + 51 * MS), [b"two"]);
    assert!(answers.len() == 0 && answers.deadline().is_none());
    let all = injected(&mut answers);
    let id = |connection| FaultId { seed: 7, connection };
    assert_eq!((all.len(), all[1].1), (2, id(1)));
    let act = FaultAct::received(Fault::Delay, 0);
    let act = FaultAct { bytes: Some(3), delay_ns: Some(50_000_000), message: Some(0), ..act };
    assert_eq!(all[0], (source(1), id(0), act));
    assert!(acts(&mut answers).is_empty());
}

#[test]
fn datagrams_with_jitter_overtake_each_other_in_the_same_way_each_time() {
    let start = Instant::now();
    let run = || {
        let jitter = FaultKind::Jitter { spread: 20 * MS, distribution: Jitter::Uniform };
        let mut answers = answers(&[FaultKind::Delay(30 * MS), jitter], start);
        for number in 0..50 {
            answers.push(source(1), &[number], (), start + u32::from(number) * MS);
        }
        sent_until_empty(&mut answers)
    };
    let first = run();
    assert_eq!(first, run());
    let order: Vec<u8> = first.iter().map(|(_, bytes)| bytes[0]).collect();
    assert!(!order.is_sorted(), "{order:?}");
    for (at, bytes) in first {
        let delay = at - (start + u32::from(bytes[0]) * MS);
        assert!(delay >= 10 * MS && delay <= 50 * MS, "{delay:?}");
    }
}

#[test]
fn a_throttle_spaces_the_answers_of_each_source_by_its_rate() {
    let start = Instant::now();
    let rate = NonZeroU64::new(1000).unwrap();
    let mut answers = answers(&[FaultKind::Throttle(rate)], start);
    for _ in 0..3 {
        answers.push(source(1), &[1; 100], (), start);
    }
    answers.push(source(2), &[2; 100], (), start);
    let times: Vec<_> = sent_until_empty(&mut answers)
        .into_iter()
        .map(|(at, bytes)| (bytes[0], at - start))
        .collect();
    assert_eq!(times, [(1, Duration::ZERO), (2, Duration::ZERO), (1, 100 * MS), (1, 200 * MS)]);
    let act = FaultAct::sent(Fault::Throttle, 1);
    let act = FaultAct { bytes: Some(1000), message: Some(1), ..act };
    assert_eq!(acts(&mut answers), [act], "once for each source that is held back");
    // A silent source saves nothing.
    let later = start + Duration::from_secs(10);
    answers.push(source(1), &[1; 100], (), later);
    answers.push(source(1), &[1; 100], (), later);
    assert_eq!(sent(&mut answers, later).len(), 1);
    assert_eq!(answers.deadline(), Some(later + 100 * MS));
}

#[test]
fn a_throttle_keeps_the_order_if_the_server_is_late() {
    let start = Instant::now();
    let mut answers = answers(&[FaultKind::Throttle(NonZeroU64::new(100).unwrap())], start);
    answers.push(source(1), b"a", (), start);
    answers.push(source(1), b"b", (), start);
    assert_eq!(sent(&mut answers, start), [b"a"]);
    answers.push(source(1), b"c", (), start + MS);
    assert_eq!(sent(&mut answers, start + 100 * MS), [b"b", b"c"]);
}

#[test]
fn a_share_of_the_datagrams_is_dropped_and_another_is_duplicated() {
    let start = Instant::now();
    let kinds = [FaultKind::Drop(percent(20)), FaultKind::Duplicate(percent(20))];
    let mut answers = answers(&kinds, start);
    for number in 0..200_u8 {
        answers.push(source(1), &[number], (), start);
    }
    let sent = sent(&mut answers, start);
    let mut expected: Vec<u32> = vec![1; 200];
    for act in acts(&mut answers) {
        assert_eq!((act.direction, act.bytes), (Direction::Sent, Some(1)));
        assert_eq!(Some(act.offset), act.message);
        let copies = if act.fault == Fault::Drop { 0 } else { 2 };
        expected[usize::try_from(act.offset).unwrap()] = copies;
    }
    let of = |number: usize| sent.iter().filter(|bytes| usize::from(bytes[0]) == number).count();
    assert!(expected.iter().enumerate().all(|(number, &copies)| of(number) == copies as usize));
    let dropped = expected.iter().filter(|&&copies| copies == 0).count();
    assert!((20..60).contains(&dropped), "{dropped}");
    assert!(sent.is_sorted());
}

#[test]
fn a_reordered_answer_is_sent_after_the_next_one_or_alone_after_a_while() {
    let start = Instant::now();
    let mut answers = answers(&[FaultKind::Reorder(Share::ALL)], start);
    answers.push(source(1), b"first", (), start);
    answers.push(source(2), b"other", (), start);
    assert!(sent(&mut answers, start).is_empty());
    answers.push(source(1), b"second", (), start + MS);
    assert_eq!(sent(&mut answers, start + MS), [&b"second"[..], b"first"]);
    let act = FaultAct::sent(Fault::Reorder, 0);
    let act = FaultAct { bytes: Some(5), message: Some(0), ..act };
    assert_eq!(acts(&mut answers), [act]);
    assert_eq!(answers.deadline(), Some(start + REORDER_WAIT));
    assert_eq!(sent(&mut answers, start + REORDER_WAIT), [b"other"]);
    let delay_ns = u64::try_from(REORDER_WAIT.as_nanos()).ok();
    assert_eq!(acts(&mut answers), [FaultAct { delay_ns, ..act }], "it is late, in its place");
    // Its source goes on as before.
    answers.push(source(2), b"one", (), start + 2 * REORDER_WAIT);
    answers.push(source(2), b"two", (), start + 2 * REORDER_WAIT);
    assert_eq!(sent(&mut answers, start + 2 * REORDER_WAIT), [b"two", b"one"]);
}

#[test]
fn an_answer_is_cut_and_its_bits_are_inverted_where_the_record_has_them() {
    let start = Instant::now();
    let mean = NonZeroU64::new(50).unwrap();
    let mut answers = answers(&[FaultKind::Truncate(40), FaultKind::Corrupt(mean)], start);
    for number in 0..100 {
        answers.push(source(1), &[0; 60], (), start);
        let len = if number % 2 == 0 { 10 } else { 0 };
        answers.push(source(1), &[0; 10][..len], (), start);
    }
    let sent = sent(&mut answers, start);
    let acts = acts(&mut answers);
    let mut expected: Vec<Vec<u8>> = sent.iter().map(|bytes| vec![0; bytes.len()]).collect();
    for act in &acts {
        let number = usize::try_from(act.message.unwrap()).unwrap();
        if act.fault == Fault::Truncate {
            assert_eq!((act.offset, act.bytes), (number as u64, Some(40)));
            assert_eq!(sent[number].len(), 40);
        } else {
            expected[number][usize::try_from(act.offset).unwrap()] ^= act.mask.unwrap();
        }
    }
    assert_eq!(sent, expected);
    let count = |fault| acts.iter().filter(|act| act.fault == fault).count();
    assert_eq!(count(Fault::Truncate), 100);
    assert!((60..120).contains(&count(Fault::Corrupt)), "{}", count(Fault::Corrupt));
}

#[test]
fn outside_of_its_window_and_without_a_share_a_fault_does_nothing() {
    let start = Instant::now();
    let mut rule = FaultRule::always(FaultKind::Drop(Share::ALL));
    rule.window = Some(10 * MS..20 * MS);
    let mut none = FaultRule::always(FaultKind::Duplicate(Share::ALL));
    none.share = Share::NONE;
    let mut answers = FaultyAnswers::new(injector(vec![rule, none], start));
    let mut echoed = |at| {
        answers.push(source(1), b"x", (), at);
        sent(&mut answers, at).len()
    };
    let counts = [9, 10, 19, 20].map(|ms| echoed(start + ms * MS));
    assert_eq!(counts, [1, 0, 0, 1]);
    assert_eq!(acts(&mut answers).len(), 2);
}

#[test]
fn held_answers_are_bounded_in_number_and_in_bytes() {
    let start = Instant::now();
    for (len, most) in [(0, HELD_ANSWERS), (60_000, HELD_ANSWER_BYTES / 60_000)] {
        let mut answers = answers(&[FaultKind::Delay(50 * MS)], start);
        let datagram = vec![0; len];
        let mut pushed = 0;
        while !answers.is_full() {
            answers.push(source(1), &datagram, (), start);
            pushed += 1;
            assert!(pushed <= most, "{pushed}");
        }
        assert!(pushed + 1 >= most, "{pushed}");
        sent(&mut answers, start + 50 * MS);
        assert!(!answers.is_full() && answers.len() == 0);
    }
}

#[test]
fn other_faults_and_none_release_what_is_held_in_its_order() {
    let start = Instant::now();
    let rate = NonZeroU64::MIN;
    for next in [None, Some(injector(Vec::new(), start))] {
        let kinds = [FaultKind::Delay(50 * MS), FaultKind::Throttle(rate)];
        let mut answers = answers(&kinds, start);
        for datagram in [b"1", b"2", b"3"] {
            answers.push(source(1), datagram, (), start);
        }
        answers.replace(next.clone(), start + MS);
        assert!(answers.is_of(next.as_ref()));
        answers.push(source(1), b"4", (), start + MS);
        assert_eq!(sent(&mut answers, start + MS), [b"1", b"2", b"3", b"4"]);
    }
}

#[test]
fn a_source_keeps_its_count_when_its_faults_are_changed_and_cleared() {
    let start = Instant::now();
    let drop = FaultRule::always(FaultKind::Drop(Share::ALL));
    let changes = [
        Some(FaultRule::always(FaultKind::Delay(MS))),
        Some(drop.clone()),
        None,
        Some(FaultRule::always(FaultKind::Truncate(1))),
        Some(drop),
    ];
    let mut answers = answers(&[FaultKind::Duplicate(Share::ALL)], start);
    let mut places = Vec::new();
    for change in changes {
        answers.replace(change.map(|rule| injector(vec![rule], start)), start);
        answers.push(source(2), b"two", (), start);
        answers.push(source(1), b"one", (), start);
        let injected = injected(&mut answers);
        places.extend(injected.iter().map(|(_, id, act)| (id.connection, act.message.unwrap())));
    }
    let expected = [0, 1, 3, 4].into_iter().flat_map(|number| [(0, number), (1, number)]);
    assert_eq!(places, expected.collect::<Vec<_>>());
}

#[test]
fn sources_beyond_the_bound_push_out_the_one_that_was_silent_longest() {
    let start = Instant::now();
    let mut answers = answers(&[FaultKind::Delay(MS)], start);
    let many = u16::try_from(FAULT_SOURCES).unwrap();
    for port in 0..many {
        answers.push(source(port), b"", (), start);
    }
    let mut number_of = |port| {
        injected(&mut answers);
        answers.push(source(port), b"", (), start);
        injected(&mut answers)[0].1.connection
    };
    let numbers = [0, many, 0, 1].map(&mut number_of);
    let many = u64::from(many);
    assert_eq!(numbers, [0, many, 0, many + 1]);
}

proptest! {
    /// The record explains the difference between what arrived and what was sent, in the order in which it was sent.
    #[test]
    fn what_was_done_explains_the_difference(
        seed: u64,
        shares in proptest::array::uniform3(0_u32..=100),
        count in 0_u8..60,
    ) {
        let start = Instant::now();
        let [dropped, duplicate, reorder] = shares.map(percent);
        let kinds =
            [FaultKind::Drop(dropped), FaultKind::Duplicate(duplicate), FaultKind::Reorder(reorder)];
        let rules = kinds.into_iter().map(FaultRule::always).collect();
        let faults = Arc::new(Faults { seed: Some(seed), rules });
        let mut answers = FaultyAnswers::new(Arc::new(Injector::new(faults, start)));
        for number in 0..count {
            answers.push(source(1), &[number], (), start);
        }
        let sent: Vec<u8> = sent_until_empty(&mut answers).into_iter().map(|(_, b)| b[0]).collect();
        let acts = acts(&mut answers);
        let has = |fault, number: u8| {
            acts.iter().any(|act| act.fault == fault && act.offset == u64::from(number))
        };
        let is_swapped = |number: u8| {
            let of = |act: &&FaultAct| act.fault == Fault::Reorder && act.offset == u64::from(number);
            acts.iter().find(of).is_some_and(|act| act.delay_ns.is_none())
        };
        let (mut expected, mut postponed) = (Vec::new(), Vec::new());
        for number in (0..count).filter(|&number| !has(Fault::Drop, number)) {
            let copies = if has(Fault::Duplicate, number) { 2 } else { 1 };
            if is_swapped(number) {
                postponed = vec![number; copies];
            } else {
                expected.extend(vec![number; copies]);
                expected.append(&mut postponed);
            }
        }
        prop_assert_eq!(sent, expected);
    }
}
