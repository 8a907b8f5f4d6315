//! What becomes of echoes that arrive in pieces.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    fault::{Fault, FaultAct},
    frame,
};
use proptest::{collection::vec, prelude::*};

use super::{Format, MessageFaults, Outcome};
use crate::{
    config::{
        FaultKind, FaultRule, Faults, Share,
        limits::{POSTPONED_MESSAGE, REORDER_WAIT},
    },
    faults::{injected::InjectedFault, injector::Injector, plan::FaultPlan},
};

const WEBSOCKET: Format = Format::WebSocket { is_compressed: false };

fn plan(seed: u64, rules: Vec<FaultRule>, start: Instant) -> FaultPlan {
    let faults = Arc::new(Faults { seed: Some(seed), rules });
    Arc::new(Injector::new(faults, start)).next_plan()
}

fn plan_of(kinds: &[FaultKind], start: Instant) -> FaultPlan {
    plan(7, kinds.iter().cloned().map(FaultRule::always).collect(), start)
}

fn faults(kinds: &[FaultKind], format: Format, start: Instant) -> MessageFaults {
    MessageFaults::new(&plan_of(kinds, start), format).unwrap()
}

fn act(fault: Fault, offset: u64, message: u64, bytes: u64) -> FaultAct {
    FaultAct { bytes: Some(bytes), message: Some(message), ..FaultAct::sent(fault, offset) }
}

impl Outcome {
    fn acts(&self) -> Vec<FaultAct> {
        self.injected.iter().map(|injected| injected.act).collect()
    }
}

fn text(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.bytes).unwrap()
}

#[test]
fn a_dropped_line_is_not_sent_and_a_duplicated_one_is_sent_twice() {
    let start = Instant::now();
    let mut dropping = faults(&[FaultKind::Drop(Share::ALL)], Format::Lines, start);
    let outcome = dropping.push(b"one\ntwo\nthr", start);
    assert_eq!(outcome.bytes, b"");
    assert_eq!(outcome.acts(), [act(Fault::Drop, 0, 0, 4), act(Fault::Drop, 4, 1, 4)]);
    assert_eq!(dropping.end(start).acts(), [act(Fault::Drop, 8, 2, 3)], "a line without an end");
    let mut duplicating = faults(&[FaultKind::Duplicate(Share::ALL)], Format::Lines, start);
    assert_eq!(text(&duplicating.push(b"on", start)), "on", "bytes are not delayed");
    let outcome = duplicating.push(b"e\ntwo\nthr", start);
    assert_eq!(text(&outcome), "e\none\ntwo\ntwo\nthr");
    assert_eq!(outcome.acts(), [act(Fault::Duplicate, 0, 0, 4), act(Fault::Duplicate, 4, 1, 4)]);
    assert_eq!(duplicating.end(start), Outcome::default());
}

#[test]
fn a_reordered_line_is_sent_after_the_next_one() {
    let start = Instant::now();
    let mut reordering = faults(&[FaultKind::Reorder(Share::ALL)], Format::Lines, start);
    assert_eq!(reordering.push(b"one\ntw", start), Outcome::default());
    assert_eq!(reordering.held(), 6);
    assert_eq!(reordering.deadline(), Some(start + REORDER_WAIT));
    let outcome = reordering.push(b"o\n", start);
    assert_eq!(
        (text(&outcome), &outcome.acts()[..]),
        ("two\none\n", &[act(Fault::Reorder, 0, 0, 4)][..])
    );
    assert_eq!((reordering.deadline(), reordering.held()), (None, 0));
}

#[test]
fn a_reordered_line_is_sent_alone_in_its_place_after_a_while() {
    let start = Instant::now();
    let mut reordering = faults(&[FaultKind::Reorder(Share::ALL)], Format::Lines, start);
    reordering.push(b"one\ntw", start);
    assert_eq!(reordering.expire(start), Outcome::default());
    let outcome = reordering.expire(start + REORDER_WAIT);
    let delay_ns = u64::try_from(REORDER_WAIT.as_nanos()).ok();
    let late = |offset, number| FaultAct { delay_ns, ..act(Fault::Reorder, offset, number, 4) };
    assert_eq!((text(&outcome), &outcome.acts()[..]), ("one\ntw", &[late(0, 0)][..]));
    assert_eq!(text(&reordering.push(b"o\n", start)), "o\n");
    assert_eq!(reordering.deadline(), None);
    // A line whose end arrives after its wait.
    reordering.push(b"si", start);
    assert_eq!(text(&reordering.expire(start + REORDER_WAIT)), "si");
    let outcome = reordering.push(b"x\n", start);
    assert_eq!((text(&outcome), &outcome.acts()[..]), ("x\n", &[late(8, 2)][..]));
}

#[test]
fn what_is_held_is_sent_before_a_reply_and_at_the_end() {
    let start = Instant::now();
    let mut reordering = faults(&[FaultKind::Reorder(Share::ALL)], Format::Lines, start);
    reordering.push(b"one\n", start);
    let outcome = reordering.flush(start + Duration::from_nanos(5));
    let late = FaultAct { delay_ns: Some(5), ..act(Fault::Reorder, 0, 0, 4) };
    assert_eq!((text(&outcome), &outcome.acts()[..]), ("one\n", &[late][..]));
    reordering.push(b"two", start);
    let outcome = reordering.end(start);
    assert_eq!((text(&outcome), outcome.acts().len()), ("two", 0));
}

#[test]
fn a_message_over_the_bound_keeps_its_place_and_is_sent_once() {
    let start = Instant::now();
    let line = |len: usize| [vec![b'x'; len - 1], b"\n".to_vec()].concat();
    let all = Share::ALL;
    for (kinds, held) in [
        (&[FaultKind::Reorder(all)][..], POSTPONED_MESSAGE),
        (&[FaultKind::Duplicate(all)], POSTPONED_MESSAGE),
        (&[FaultKind::Duplicate(all), FaultKind::Reorder(all)], POSTPONED_MESSAGE),
    ] {
        let mut longest = faults(kinds, Format::Lines, start);
        let sent = [longest.push(&line(held), start), longest.end(start)];
        let len: usize = sent.iter().map(|outcome| outcome.bytes.len()).sum();
        let copies = if kinds.contains(&FaultKind::Duplicate(all)) { 2 } else { 1 };
        assert_eq!(len, copies * held);
        let mut longer = faults(kinds, Format::Lines, start);
        let mut sent = Vec::new();
        for piece in line(held + 1).chunks(1000) {
            sent.extend(longer.push(piece, start).bytes);
            assert!(longer.held() <= POSTPONED_MESSAGE);
        }
        assert_eq!(sent, line(held + 1));
        assert_eq!(longer.end(start), Outcome::default());
    }
    // Both that change places have to be held.
    let mut reordering = faults(&[FaultKind::Reorder(all)], Format::Lines, start);
    assert_eq!(reordering.push(b"first\n", start), Outcome::default());
    let outcome = reordering.push(&line(POSTPONED_MESSAGE), start);
    assert!(outcome.bytes.starts_with(b"first\nx") && outcome.acts().is_empty());
}

fn websocket_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ ..126) => frame.push(short.to_be_bytes()[1]),
        Ok(len) => frame.extend([&[126], &len.to_be_bytes()[..]].concat()),
        Err(_) => frame.extend([&[127], &(payload.len() as u64).to_be_bytes()[..]].concat()),
    }
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn all_fragments_of_a_websocket_message_have_one_fate_and_control_frames_pass() {
    let start = Instant::now();
    let mut dropping = faults(&[FaultKind::Drop(Share::ALL)], WEBSOCKET, start);
    let ping = websocket_frame(0x89, b"ping");
    let fragments = [websocket_frame(0x01, b"a"), ping.clone(), websocket_frame(0x80, &[1; 200])];
    let outcome = dropping.push(&fragments.concat(), start);
    assert_eq!(outcome.bytes, ping);
    assert_eq!(outcome.acts(), [act(Fault::Drop, 0, 0, 3 + 204)]);
    let empty = websocket_frame(0x81, b"");
    let outcome = dropping.push(&empty, start);
    assert_eq!(outcome.acts(), [act(Fault::Drop, 3 + 6 + 204, 1, 2)]);
}

#[test]
fn the_first_frame_after_so_many_messages_has_a_mask() {
    let start = Instant::now();
    let frames = [
        websocket_frame(0x81, b"first"),
        websocket_frame(0x01, b"second"),
        websocket_frame(0x80, b" and its end"),
        websocket_frame(0x82, b"third"),
    ];
    let mut masking = faults(&[FaultKind::BadMask(1)], WEBSOCKET, start);
    let outcome = masking.push(&frames.concat(), start);
    let at = frames[0].len();
    let masked = &outcome.bytes[at..at + frames[1].len() + 4];
    assert_eq!((masked[0], masked[1]), (0x01, 0x80 | 6));
    let unmasked: Vec<u8> =
        masked[6..].iter().zip(masked[2..6].iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    assert_eq!(unmasked, b"second");
    assert_ne!(&masked[6..], b"second", "the mask is not zero");
    let others = [&outcome.bytes[..at], &outcome.bytes[at + masked.len()..]].concat();
    assert_eq!(others, [&frames[0][..], &frames[2], &frames[3]].concat());
    let act = FaultAct { message: Some(1), ..FaultAct::sent(Fault::BadMask, at as u64) };
    assert_eq!(outcome.acts(), [act]);
    // No frame of another protocol has a mask.
    assert!(MessageFaults::new(&plan_of(&[FaultKind::BadMask(0)], start), Format::Lines).is_none());
}

#[test]
fn each_read_is_a_message_of_a_stream_without_boundaries() {
    let start = Instant::now();
    let mut duplicating = faults(&[FaultKind::Duplicate(Share::ALL)], Format::Reads, start);
    assert_eq!(text(&duplicating.push(b"ab", start)), "abab");
    assert_eq!(text(&duplicating.push(b"c", start)), "cc");
}

#[test]
fn new_faults_hold_from_the_next_message_on() {
    let start = Instant::now();
    let mut changing = faults(&[FaultKind::Drop(Share::ALL)], Format::Lines, start);
    assert_eq!(changing.push(b"on", start).bytes, b"");
    changing.replace(Some(plan_of(&[FaultKind::Reorder(Share::ALL)], start)), start);
    assert_eq!(changing.push(b"e\n", start).acts(), [act(Fault::Drop, 0, 0, 4)]);
    assert_eq!(changing.push(b"two\n", start), Outcome::default());
    changing.replace(None, start);
    assert_eq!(changing.deadline(), Some(start), "what is held is due");
    assert_eq!(text(&changing.expire(start)), "two\n");
    assert_eq!(text(&changing.push(b"three\n", start)), "three\n");
}

#[test]
fn a_fault_has_the_plan_under_which_its_message_began_whatever_follows() {
    let start = Instant::now();
    let end = |mut changing: MessageFaults, next: Option<FaultPlan>, rest: &[u8]| {
        assert!(changing.push(b"on", start).injected.is_empty());
        changing.replace(next, start);
        let mut injected = changing.push(rest, start).injected;
        injected.extend(changing.end(start).injected);
        injected.into_iter().map(|InjectedFault { plan, act }| (plan.id().seed, act)).collect()
    };
    let other = || plan(8, vec![FaultRule::always(FaultKind::Delay(Duration::ZERO))], start);
    for (kind, fault) in [
        (FaultKind::Drop(Share::ALL), Fault::Drop),
        (FaultKind::Duplicate(Share::ALL), Fault::Duplicate),
    ] {
        for next in [None, Some(other())] {
            let changing = faults(std::slice::from_ref(&kind), Format::Lines, start);
            let injected: Vec<_> = end(changing, next, b"e\ntwo\n");
            assert_eq!(injected, [(7, act(fault, 0, 0, 4))]);
        }
    }
    // Its end may never arrive.
    let changing = faults(&[FaultKind::Drop(Share::ALL)], Format::Lines, start);
    let injected: Vec<_> = end(changing, None, b"e");
    assert_eq!(injected, [(7, act(Fault::Drop, 0, 0, 3))]);
}

#[test]
fn messages_of_a_compressed_websocket_are_left_alone_except_for_a_mask() {
    let start = Instant::now();
    let all = Share::ALL;
    let kinds = [FaultKind::Drop(all), FaultKind::Reorder(all), FaultKind::Duplicate(all)];
    let compressed = Format::WebSocket { is_compressed: true };
    let frames = [websocket_frame(0xc1, b"first"), websocket_frame(0x81, b"second")].concat();
    let mut leaving = faults(&kinds, compressed, start);
    let outcome = leaving.push(&frames, start);
    assert_eq!((outcome.bytes, outcome.injected), (frames.clone(), Vec::new()));
    let masking = [&kinds[..], &[FaultKind::BadMask(1)]].concat();
    let outcome = faults(&masking, compressed, start).push(&frames, start);
    assert_eq!(outcome.bytes.len(), frames.len() + 4);
    assert_eq!(outcome.acts()[0].fault, Fault::BadMask);
}

#[test]
fn outside_of_its_window_a_fault_of_messages_does_nothing() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let mut rule = FaultRule::always(FaultKind::Drop(Share::ALL));
    rule.window = Some(second..2 * second);
    let mut faults = MessageFaults::new(&plan(7, vec![rule], start), Format::Lines).unwrap();
    let sent = [0, 1, 2].map(|time| faults.push(b"x\n", start + time * second).bytes.len());
    assert_eq!(sent, [2, 0, 2]);
}

/// The messages of a stream, whose boundaries the tests know from how they made it.
#[derive(Clone, Debug)]
struct Stream {
    format: Format,
    messages: Vec<Vec<u8>>,
}

fn streams() -> impl Strategy<Value = Stream> {
    let payload =
        || prop_oneof![9 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 65_000..66_000)];
    let of = |format, message: fn(Vec<u8>) -> Vec<u8>| {
        let messages = vec(payload().prop_map(message), 0..12);
        messages.prop_map(move |messages| Stream { format, messages })
    };
    let line = |mut line: Vec<u8>| {
        line.retain(|byte| *byte != b'\n');
        line.push(b'\n');
        line
    };
    let fragments = |payload: Vec<u8>| {
        let at = payload.first().map_or(0, |first| usize::from(*first).min(payload.len()));
        let (first, last) = payload.split_at(at);
        [websocket_frame(0x02, first), websocket_frame(0x80, last)].concat()
    };
    prop_oneof![
        of(Format::Lines, line),
        of(Format::Frames, |payload| frame::encode(&payload).unwrap()),
        of(WEBSOCKET, fragments),
    ]
}

/// Returns what is sent, and what was done, for a stream that arrives in pieces of these lengths.
fn run(plan: &FaultPlan, format: Format, stream: &[u8], pieces: &[usize], now: Instant) -> Outcome {
    let Some(mut faults) = MessageFaults::new(plan, format) else {
        return Outcome { bytes: stream.to_vec(), injected: Vec::new() };
    };
    let mut all = Outcome::default();
    let mut add = |outcome: Outcome| {
        all.bytes.extend(outcome.bytes);
        all.injected.extend(outcome.injected);
    };
    let (mut rest, mut pieces) = (stream, pieces.iter().cycle());
    while !rest.is_empty() {
        let len = pieces.next().map_or(rest.len(), |len| *len.min(&rest.len()));
        let (piece, next) = rest.split_at(len);
        add(faults.push(piece, now));
        assert!(faults.held() <= POSTPONED_MESSAGE);
        rest = next;
    }
    add(faults.end(now));
    all
}

proptest! {
    #[test]
    fn the_output_and_the_record_are_the_same_at_every_split_and_the_record_explains_the_output(
        seed: u64,
        stream in streams(),
        shares in proptest::array::uniform3(0_u32..=100),
        pieces in vec(1_usize..3000, 1..8),
        end in 0_usize..100,
    ) {
        let start = Instant::now();
        let [dropped, duplicate, reorder] =
            shares.map(|percent| Share::from_millionths(percent * 10_000).unwrap());
        let kinds =
            [FaultKind::Drop(dropped), FaultKind::Duplicate(duplicate), FaultKind::Reorder(reorder)];
        let rules = kinds.into_iter().map(FaultRule::always).collect();
        let plan = plan(seed, rules, start);
        let Stream { format, messages } = stream;
        let mut bytes = messages.concat();
        bytes.truncate(bytes.len().saturating_sub(end));
        let outcome = run(&plan, format, &bytes, &pieces, start);
        let whole = run(&plan, format, &bytes, &[usize::MAX], start);
        prop_assert!(outcome == whole, "{:?} {:?}", outcome.acts(), whole.acts());

        let acts = outcome.acts();
        let has = |fault, number: usize| {
            acts.iter().find(|act| act.fault == fault && act.message == Some(number as u64))
        };
        let (mut expected, mut postponed, mut offset) = (Vec::new(), Vec::new(), 0);
        for (number, message) in messages.iter().enumerate() {
            let len = message.len().min(bytes.len() - offset);
            let message = &bytes[offset..offset + len];
            let is_complete = len == messages[number].len();
            for fault in [Fault::Drop, Fault::Duplicate, Fault::Reorder] {
                let expected = act(fault, offset as u64, number as u64, len as u64);
                prop_assert!(has(fault, number).is_none_or(|act| *act == expected));
            }
            offset += len;
            if has(Fault::Drop, number).is_some() {
                continue;
            }
            let copies = if has(Fault::Duplicate, number).is_some() { 2 } else { 1 };
            prop_assert!(copies == 1 || is_complete);
            if has(Fault::Reorder, number).is_some() {
                postponed = message.repeat(copies);
            } else {
                expected.extend(message.repeat(copies));
                expected.append(&mut postponed);
            }
        }
        prop_assert!(postponed.is_empty());
        prop_assert!(outcome.bytes == expected, "{:?}", outcome.acts());
    }
}
