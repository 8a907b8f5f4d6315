//! Rules by which records and observations agree, with a model of a server that injects faults.

use common::fault::{Fault, FaultAct};
use proptest::prelude::*;

use super::{datagrams, judgement::Judgement, records::Checked, stream};

mod records;
mod times;
use crate::load::{
    ipc::observation::{
        Arrival, Damage, Datagrams, End, Failure, Layer, MessageTimes, Observation, Piece,
        TlsObservation, WireEnd,
    },
    worker::payload::{echo_stream::EchoStream, streams::Streams},
};

/// Number of messages of the model, and their length.
const MESSAGES: u64 = 20;
const LEN: u64 = 64;

fn streams() -> Streams {
    Streams::new(5, 64..=64)
}

/// Returns the observation of a connection without faults.
fn regular() -> Observation {
    Observation {
        is_open: true,
        begun: MESSAGES,
        messages: MESSAGES,
        sent: MESSAGES * LEN,
        received: MESSAGES * LEN,
        pieces: vec![Piece { start: 0, len: MESSAGES * LEN }],
        end: End { wire: Some(WireEnd::Fin), is_after_ours: true, ..End::default() },
        ..Observation::default()
    }
}

/// Returns the fault of a message that has waited for the next one in vain.
fn late(act: FaultAct) -> FaultAct {
    FaultAct { delay_ns: Some(1_000_000_000), ..act }
}

/// Returns what a connection sees whose server injects these faults.
fn model(acts: &[FaultAct]) -> Observation {
    let mut order = Vec::new();
    let mut postponed = None;
    for message in 0..MESSAGES {
        let has = |fault| acts.iter().any(|act| act.fault == fault && act.message == Some(message));
        if has(Fault::Drop) {
            continue;
        }
        let copies = 1 + usize::from(has(Fault::Duplicate));
        if has(Fault::Reorder) {
            postponed = Some((message, copies));
            continue;
        }
        order.extend(std::iter::repeat_n(message, copies));
        if let Some((message, copies)) = postponed.take() {
            order.extend(std::iter::repeat_n(message, copies));
        }
    }
    let pieces = order.iter().map(|message| Piece { start: message * LEN, len: LEN });
    let mut seen = Observation { pieces: pieces.collect(), ..regular() };
    seen.received = seen.pieces.len() as u64 * LEN;
    for act in acts {
        match act.fault {
            Fault::ResetAfter => cut(&mut seen, act.offset, WireEnd::Reset),
            Fault::CloseAfter => cut(&mut seen, act.offset, WireEnd::Fin),
            _ => {}
        }
    }
    let corrupt =
        acts.iter().filter(|act| act.fault == Fault::Corrupt && act.offset < seen.received);
    let damage = corrupt.map(|act| Damage { at: act.offset, mask: act.mask.unwrap() });
    seen.damage = damage.collect();
    seen
}

/// Cuts an observation off.
fn cut(seen: &mut Observation, at: u64, end: WireEnd) {
    let mut rest = at;
    for piece in &mut seen.pieces {
        piece.len = piece.len.min(rest);
        rest -= piece.len;
    }
    seen.received = at;
    seen.end = End { wire: Some(end), ..End::default() };
}

/// Returns messages that follow each other, with the times before their sends and after their returns.
fn messages(times: &[(u64, u64)]) -> Vec<MessageTimes> {
    let places = (0..times.len() as u64).map(|number| number * LEN);
    let messages = places.zip(times);
    messages
        .map(|(start, &(begun, returned))| MessageTimes {
            start,
            end: start + LEN,
            begun,
            returned,
        })
        .collect()
}

fn act(fault: Fault, offset: u64) -> FaultAct {
    FaultAct::sent(fault, offset)
}

fn of_message(fault: Fault, message: u64) -> FaultAct {
    FaultAct { bytes: Some(LEN), message: Some(message), ..act(fault, message * LEN) }
}

fn corrupt(offset: u64, mask: u8) -> FaultAct {
    FaultAct { mask: Some(mask), ..act(Fault::Corrupt, offset) }
}

fn judge(seen: &Observation, acts: &[FaultAct]) -> Judgement {
    let checked = Checked { acts: acts.to_vec(), ..Checked::default() };
    stream::judge(seen, &checked, &streams())
}

#[track_caller]
fn agree(seen: &Observation, acts: &[FaultAct]) {
    let judgement = judge(seen, acts);
    assert_eq!(judgement.disagreements, Vec::<String>::new());
    assert_eq!(judgement.found.len(), acts.len(), "{judgement:?}");
}

#[track_caller]
fn disagree(seen: &Observation, acts: &[FaultAct], text: &str) {
    let judgement = judge(seen, acts);
    let has = judgement.disagreements.iter().any(|it| it.contains(text));
    assert!(has, "no {text:?} in {judgement:?}");
}

#[test]
fn a_fault_of_bytes_or_messages_agrees_with_its_record_and_with_no_other() {
    agree(&regular(), &[]);
    for (act, other, missing) in [
        (corrupt(100, 7), corrupt(101, 7), "byte 100 of the echo"),
        (corrupt(100, 7), corrupt(100, 6), "has the bits 0x07 inverted"),
        (of_message(Fault::Drop, 3), of_message(Fault::Drop, 4), "of message 4"),
        (of_message(Fault::Duplicate, 3), of_message(Fault::Duplicate, 4), "of message 3"),
        (of_message(Fault::Reorder, 3), of_message(Fault::Reorder, 5), "of message 4"),
    ] {
        let seen = model(&[act]);
        agree(&seen, &[act]);
        disagree(&seen, &[], missing);
        disagree(&seen, &[other], "of the echo");
        disagree(&regular(), &[act], "of the echo");
    }
    agree(&regular(), &[late(of_message(Fault::Reorder, 3))]);
    let repeated = of_message(Fault::Duplicate, 3);
    agree(&model(&[repeated]), &[late(of_message(Fault::Reorder, 3)), repeated]);
}

#[test]
fn an_end_agrees_with_its_record_at_exactly_its_offset() {
    for (fault, end, verb) in [
        (Fault::ResetAfter, WireEnd::Reset, "the server reset it at byte 500"),
        (Fault::CloseAfter, WireEnd::Fin, "the server closed it at byte 500"),
        (Fault::HalfCloseAfter, WireEnd::Fin, "the server ended its direction at byte 500"),
        (Fault::Truncate, WireEnd::Fin, "the server discarded the rest at byte 500"),
    ] {
        let mut seen = regular();
        cut(&mut seen, 500, end);
        agree(&seen, &[act(fault, 500)]);
        disagree(&seen, &[], "no fault explains it");
        for received in [499, 501] {
            cut(&mut seen, 500, end);
            cut(&mut seen, received.min(500), end);
            seen.received = received;
            disagree(&seen, &[act(fault, 500)], verb);
        }
        disagree(&regular(), &[act(fault, 500)], verb);
    }
    let mut seen = regular();
    cut(&mut seen, 0, WireEnd::Reset);
    agree(&seen, &[act(Fault::Refuse, 0)]);
    let mut fin = regular();
    cut(&mut fin, 500, WireEnd::Fin);
    disagree(&fin, &[act(Fault::ResetAfter, 500)], "an end of stream");
}

#[test]
fn what_the_server_did_behind_the_last_byte_is_not_found() {
    let mut seen = regular();
    cut(&mut seen, 500, WireEnd::Reset);
    let acts = [act(Fault::ResetAfter, 500), corrupt(600, 1), of_message(Fault::Drop, 12)];
    let judgement = judge(&seen, &acts);
    assert_eq!(judgement.disagreements, Vec::<String>::new());
    assert_eq!(judgement.found, [Fault::ResetAfter]);
    assert_eq!(judgement.unobservable, [Fault::Drop, Fault::Corrupt]);
}

/// Returns the observation of a connection over TLS that has read up to the end of a record.
fn over_tls() -> Observation {
    let tls = TlsObservation {
        is_established: true,
        has_close_notify: true,
        record: (2900, 3000),
        headers: Vec::new(),
    };
    Observation { received: 3000, tls: Some(tls), ..regular() }
}

#[test]
fn damage_is_found_in_the_record_of_tls_that_failed() {
    let mut seen = over_tls();
    let failure = Failure { layer: Layer::Tls, text: "cannot decrypt".to_owned() };
    seen.end = End { failure: Some(failure), ..End::default() };
    seen.pieces = vec![Piece { start: 0, len: 640 }];
    agree(&seen, &[corrupt(2950, 1)]);
    disagree(&seen, &[], "TLS failed after 3000 bytes (cannot decrypt), and no fault explains it");
    disagree(&seen, &[corrupt(2800, 1)], "TLS did not notice it");
    disagree(&over_tls(), &[corrupt(2800, 1)], "TLS did not notice it");
    let mut header = over_tls();
    header.tls.as_mut().unwrap().headers = vec![Damage { at: 2801, mask: 4 }];
    agree(&header, &[corrupt(2801, 4)]);
    disagree(&header, &[], "of a record's header");
    seen.is_open = false;
    seen.tls.as_mut().unwrap().is_established = false;
    seen.pieces.clear();
    agree(&seen, &[corrupt(100, 1)]);
}

#[test]
fn an_end_of_tls_without_close_notify_agrees_with_its_record() {
    let mut seen = over_tls();
    agree(&seen, &[]);
    disagree(&seen, &[act(Fault::NoCloseNotify, 3000)], "and a close_notify");
    seen.tls.as_mut().unwrap().has_close_notify = false;
    agree(&seen, &[act(Fault::NoCloseNotify, 3000)]);
    disagree(&seen, &[act(Fault::NoCloseNotify, 2990)], "without close_notify at byte 2990");
    disagree(&seen, &[], "without close_notify after 3000 bytes");
}

#[test]
fn a_mask_a_close_code_and_a_wrong_proof_agree_with_their_records() {
    let mut seen = Observation { opcode: Some(0x82), ..regular() };
    let mut echo = EchoStream::new(&streams(), 0, (0, 0), Some(0x82));
    let (masked, all) = (echo.start_of(7), echo.start_of(MESSAGES));
    seen.pieces = vec![Piece { start: 0, len: masked }];
    seen.masked_at = Some(masked);
    seen.end = End::default();
    let mask = |message| FaultAct { message: Some(message), ..act(Fault::BadMask, 0) };
    agree(&seen, &[mask(7)]);
    disagree(&seen, &[mask(6)], "the server masked message 6");
    disagree(&seen, &[], "is masked, and no fault explains it");
    seen = Observation { opcode: Some(0x82), ..regular() };
    seen.pieces = vec![Piece { start: 0, len: all }];
    disagree(&seen, &[mask(7)], "without a mask");
    let close = |code| FaultAct { code: Some(code), message: Some(20), ..act(Fault::CloseCode, 0) };
    seen.close_code = Some(1002);
    agree(&seen, &[close(1002)]);
    disagree(&seen, &[close(1003)], "with the code 1003; the client received 1002");
    disagree(&seen, &[], "with the code 1002, and no fault explains it");
    let mut seen = regular();
    (seen.is_open, seen.messages, seen.received) = (false, 0, 90);
    seen.pieces.clear();
    let failure = Failure { layer: Layer::Proof, text: "its signature is wrong".to_owned() };
    seen.end = End { failure: Some(failure), ..End::default() };
    agree(&seen, &[act(Fault::LoginWrongProof, 0)]);
    disagree(&seen, &[], "the login failed after 90 bytes");
    disagree(&regular(), &[act(Fault::LoginWrongProof, 0)], "the client accepted it");
}

#[test]
fn datagrams_agree_with_the_records_of_their_numbers() {
    let arrival = |number| Arrival { number, at: 100 * number + 50, ..Arrival::default() };
    let seen = |arrivals: Vec<Arrival>| Datagrams {
        sent: 4,
        sent_at: vec![0, 100, 200, 300],
        arrivals,
        ..Datagrams::default()
    };
    let judge = |arrivals, acts: &[FaultAct]| {
        datagrams::judge(&Observation::default(), &seen(arrivals), acts, &streams())
    };
    let of = |fault, number| FaultAct { message: Some(number), ..act(fault, number) };
    let numbers = |numbers: &[u64]| numbers.iter().map(|&it| arrival(it)).collect::<Vec<_>>();
    let damaged = Arrival { damage: vec![Damage { at: 9, mask: 3 }], ..arrival(1) };
    let short = Arrival { len: Some(30), ..arrival(1) };
    for (arrivals, act) in [
        (numbers(&[0, 2, 3]), of(Fault::Drop, 1)),
        (numbers(&[0, 1, 1, 2, 3]), of(Fault::Duplicate, 1)),
        (numbers(&[0, 2, 1, 3]), of(Fault::Reorder, 1)),
        (
            vec![arrival(0), damaged, arrival(2), arrival(3)],
            FaultAct { message: Some(1), ..corrupt(9, 3) },
        ),
        (
            vec![arrival(0), short, arrival(2), arrival(3)],
            FaultAct { bytes: Some(30), ..of(Fault::Truncate, 1) },
        ),
        (numbers(&[0, 1, 2, 3]), FaultAct { delay_ns: Some(50), ..of(Fault::Delay, 1) }),
        (numbers(&[0, 1, 2, 3]), late(of(Fault::Reorder, 1))),
    ] {
        let judgement = judge(arrivals.clone(), &[act]);
        assert_eq!((judgement.found.len(), judgement.disagreements.len()), (1, 0), "{judgement:?}");
        if act.delay_ns.is_none() {
            assert!(!judge(arrivals, &[]).disagreements.is_empty(), "{act:?}");
            assert!(!judge(numbers(&[0, 1, 2, 3]), &[act]).disagreements.is_empty(), "{act:?}");
        }
    }
    let late = FaultAct { delay_ns: Some(51), ..of(Fault::Delay, 1) };
    assert_eq!(judge(numbers(&[0, 1, 2, 3]), &[late]).disagreements.len(), 1);
}

/// Returns random faults that a server can inject together.
fn random_acts() -> impl Strategy<Value = Vec<FaultAct>> {
    let messages = prop::collection::btree_map(0..MESSAGES - 1, 0..3_usize, 0..6);
    let damage = prop::collection::btree_map(0..MESSAGES * LEN, 1_u8.., 0..6);
    let end = prop::option::of((0..2_usize, 1..10 * LEN));
    (messages, damage, end).prop_map(|(messages, damage, end)| {
        let mut acts = Vec::new();
        let mut last_reorder = None;
        for (message, kind) in messages {
            let fault = [Fault::Drop, Fault::Duplicate, Fault::Reorder][kind];
            // A message that follows a postponed one is not postponed.
            let follows = last_reorder.is_some_and(|last| message <= last + 6);
            if fault != Fault::Reorder || !follows {
                last_reorder = (fault == Fault::Reorder).then_some(message).or(last_reorder);
                acts.push(of_message(fault, message));
            }
        }
        let fits = model(&acts).received;
        acts.extend(
            damage.into_iter().filter(|(at, _)| *at < fits).map(|(at, mask)| corrupt(at, mask)),
        );
        acts.extend(end.map(|(kind, at)| act([Fault::ResetAfter, Fault::CloseAfter][kind], at)));
        acts
    })
}

proptest! {
    #[test]
    fn a_server_that_records_its_faults_agrees(acts in random_acts()) {
        let judgement = judge(&model(&acts), &acts);
        prop_assert_eq!(&judgement.disagreements, &Vec::<String>::new());
        prop_assert_eq!(judgement.found.len() + judgement.unobservable.len(), acts.len());
    }

    #[test]
    fn a_record_that_is_missing_is_found_unless_it_is_unobservable(
        acts in random_acts(),
        which in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!acts.is_empty());
        let seen = model(&acts);
        let (mut fewer, mut only) = (acts.clone(), acts.clone());
        let act = fewer.remove(which.index(acts.len()));
        only.retain(|other| *other == act);
        let unobservable = judge(&seen, &acts).unobservable;
        prop_assume!(!unobservable.contains(&act.fault));
        prop_assert!(!judge(&seen, &fewer).disagreements.is_empty(), "{:?}", act);
    }

    #[test]
    fn a_received_byte_that_is_another_is_found(
        acts in random_acts(),
        which in any::<prop::sample::Index>(),
        mask in 1_u8..,
    ) {
        let mut seen = model(&acts);
        let at = which.index(usize::try_from(seen.received).unwrap()) as u64;
        let known = seen.damage.iter().position(|damage| damage.at == at);
        match known {
            Some(known) if seen.damage[known].mask == mask => drop(seen.damage.remove(known)),
            Some(known) => seen.damage[known].mask ^= mask,
            None => seen.damage.push(Damage { at, mask }),
        }
        prop_assert!(!judge(&seen, &acts).disagreements.is_empty());
    }
}
