//! Rules by which records contradict each other: every edit of a line of a fault log is found, if the client can know.

use std::net::SocketAddr;

use common::fault::{Fault, FaultAct, FaultRecord};
use proptest::prelude::*;

use super::{LEN, act, corrupt, messages, model, of_message, random_acts, regular, streams};
use crate::load::{
    faults::pairing,
    ipc::observation::{Arrival, Datagrams, End, Observation, WireEnd},
    report::figures::fault_figures::FaultFigures,
};

fn peer(index: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5000 + u16::try_from(index).unwrap()))
}

/// Returns the record of a fault of a connection; its number is its index.
fn record(index: usize, act: FaultAct) -> FaultRecord {
    FaultRecord {
        time: "2026-01-31T12:00:00Z".to_owned(),
        listener: "127.0.0.1:7".to_owned(),
        peer: peer(index).to_string(),
        seed: 7,
        connection: index as u64,
        act,
    }
}

/// Returns connections that all have seen the same, and their fault log.
fn log(seen: &Observation, acts: &[FaultAct]) -> (Vec<Observation>, Vec<FaultRecord>) {
    let indexes = 0..3;
    let observation = |index| Observation { peer: Some(peer(index)), ..seen.clone() };
    let records = indexes.clone().flat_map(|index| acts.iter().map(move |act| record(index, *act)));
    (indexes.map(observation).collect(), records.collect())
}

fn judge(seen: &[Observation], records: &[FaultRecord]) -> FaultFigures {
    pairing::judge(seen, records, &streams())
}

#[track_caller]
fn agree(seen: &[Observation], records: &[FaultRecord]) {
    let figures = judge(seen, records);
    assert_eq!(figures.first_disagreements, [], "{records:#?}");
}

#[track_caller]
fn disagree(seen: &[Observation], records: &[FaultRecord]) {
    let figures = judge(seen, records);
    assert_ne!(figures.disagreements, 0, "{records:#?}");
}

/// A connection with a fault of each kind that a stream without layers can have, one at a time, and its records.
fn kinds() -> Vec<(Observation, Vec<FaultAct>)> {
    let timed = |act: FaultAct, bytes, delay_ns| FaultAct { bytes, delay_ns, ..act };
    let mut seen = regular();
    seen.times.first_byte = Some(20_000_000);
    seen.times.last_read = 2_000_000_000;
    seen.times.reads = vec![(640, 20_000_000), (seen.received, 2_000_000_000)];
    let pairs: Vec<_> = (0..20).map(|at| (1000 * at, 20_000_000 + 1000 * at)).collect();
    seen.times.messages = messages(&pairs);
    let read = |fault, offset| timed(FaultAct::received(fault, offset), Some(LEN), Some(5_000_000));
    let reads = |fault| (0..20).map(|at| read(fault, at * LEN)).collect::<Vec<_>>();
    let ended = |fault, wire| {
        let end = act(fault, 500);
        let mut seen = model(&[act(Fault::ResetAfter, 500)]);
        seen.end = End { wire: Some(wire), ..End::default() };
        (seen, vec![end])
    };
    let of_messages = |fault| {
        let acts = vec![of_message(fault, 3), of_message(fault, 9), of_message(fault, 12)];
        (model(&acts), acts)
    };
    let mut refused = model(&[act(Fault::ResetAfter, 0)]);
    (refused.begun, refused.messages, refused.sent) = (0, 0, 0);
    let damage = vec![corrupt(100, 7), corrupt(300, 9)];
    vec![
        of_messages(Fault::Drop),
        of_messages(Fault::Duplicate),
        of_messages(Fault::Reorder),
        (model(&damage), damage),
        ended(Fault::ResetAfter, WireEnd::Reset),
        ended(Fault::CloseAfter, WireEnd::Fin),
        ended(Fault::HalfCloseAfter, WireEnd::Fin),
        ended(Fault::Truncate, WireEnd::Fin),
        (refused, vec![act(Fault::Refuse, 0)]),
        (seen.clone(), vec![timed(act(Fault::StallAfter, 640), None, Some(5_000_000))]),
        (
            seen.clone(),
            vec![timed(FaultAct::received(Fault::AcceptDelay, 0), None, Some(5_000_000))],
        ),
        (seen.clone(), reads(Fault::Delay)),
        (seen.clone(), reads(Fault::Coalesce)),
        (seen.clone(), vec![timed(act(Fault::Throttle, 0), Some(640), None)]),
        (seen.clone(), vec![timed(act(Fault::Drip, 0), Some(640), Some(1_000_000_000))]),
        (seen, vec![timed(act(Fault::Split, 0), Some(7), None)]),
    ]
}

#[test]
fn a_second_record_of_the_same_fault_is_found() {
    for (seen, acts) in kinds() {
        let (seen, mut records) = log(&seen, &acts);
        agree(&seen, &records);
        for index in 0..records.len() {
            records.insert(index, records[index].clone());
            disagree(&seen, &records);
            records.remove(index);
        }
    }
}

#[test]
fn a_record_with_the_number_of_another_connection_or_without_another_record_of_it_is_found() {
    for (seen, acts) in kinds() {
        let (seen, mut records) = log(&seen, &acts);
        for index in 0..records.len() - acts.len() {
            records[index].connection += 1;
            disagree(&seen, &records);
            records[index].connection -= 1;
        }
    }
    let acts = [of_message(Fault::Drop, 3), of_message(Fault::Drop, 9)];
    let (seen, mut records) = log(&model(&acts), &acts);
    records.last_mut().unwrap().connection = 99;
    disagree(&seen, &records);
}

#[test]
fn a_record_at_another_offset_is_found_unless_the_offset_of_its_kind_cannot_be_seen() {
    for (seen, acts) in kinds() {
        let (seen, mut records) = log(&seen, &acts);
        for index in 0..records.len() {
            let act = records[index].act;
            // A rate begins to hold bytes back anywhere.
            if matches!(act.fault, Fault::Throttle | Fault::Drip | Fault::Split) {
                continue;
            }
            records[index].act.offset += 1;
            disagree(&seen, &records);
            records[index].act.offset -= 1;
        }
    }
}

#[test]
fn other_figures_of_a_record_than_those_of_its_message_or_of_its_seed_are_found() {
    for (seen, acts) in kinds() {
        let (seen, mut records) = log(&seen, &acts);
        for index in 0..records.len() {
            let good = records[index].clone();
            let FaultAct { bytes, message, delay_ns, .. } = good.act;
            let edits = [
                FaultAct { message: message.map(|it| it + 1), ..good.act },
                FaultAct { bytes: bytes.map(|it| it + 1), ..good.act },
            ];
            // The bytes of a batch are those of its first read.
            let edits = edits.into_iter().filter(|it| {
                let is_seen = it.message.is_some() || it.fault != Fault::Coalesce;
                // The number may be one of `raw` unless lines precede and follow.
                let is_number = it.message != message && index % acts.len() != 1;
                *it != good.act && is_seen && !is_number
            });
            let is_set = matches!(
                good.act.fault,
                Fault::StallAfter | Fault::AcceptDelay | Fault::Coalesce | Fault::Drip
            );
            let longer = FaultAct { delay_ns: delay_ns.map(|it| it + 1), ..good.act };
            for edit in edits.chain(is_set.then_some(longer)) {
                records[index].act = edit;
                disagree(&seen, &records);
            }
            records[index] = good;
        }
    }
}

#[test]
fn a_missing_record_between_reads_of_the_same_delay_is_found() {
    let (seen, acts) = kinds().into_iter().find(|(_, acts)| acts[0].fault == Fault::Delay).unwrap();
    let (seen, records) = log(&seen, &acts);
    for index in 1..acts.len() - 1 {
        let mut fewer = records.clone();
        fewer.remove(index);
        disagree(&seen, &fewer);
    }
}

#[test]
fn records_of_received_bytes_that_the_client_has_not_sent_are_found() {
    let (seen, acts) = kinds().into_iter().find(|(_, acts)| acts[0].fault == Fault::Delay).unwrap();
    let (seen, mut records) = log(&seen, &acts[..1]);
    agree(&seen, &records);
    records[0].act.offset = seen[0].sent - LEN + 1;
    disagree(&seen, &records);
    records[0].act.offset = 0;
    records[0].act.direction = act(Fault::Drop, 0).direction;
    disagree(&seen, &records);
}

#[test]
fn a_record_of_more_bytes_than_the_last_message_has_is_found() {
    let acts = [of_message(Fault::Drop, 19)];
    let (seen, mut records) = log(&model(&acts), &acts);
    agree(&seen, &records);
    records[0].act.bytes = Some(LEN + 1);
    disagree(&seen, &records);
}

#[test]
fn faults_that_replace_others_are_taken_together() {
    let acts = [
        of_message(Fault::Duplicate, 3),
        of_message(Fault::Drop, 9),
        of_message(Fault::Reorder, 12),
        corrupt(1000, 5),
    ];
    let (seen, mut records) = log(&model(&acts), &acts);
    for record in &mut records {
        // Each set of faults has its seed.
        record.seed = match record.act.fault {
            Fault::Duplicate => 900,
            Fault::Drop => 30,
            _ => 500,
        };
    }
    agree(&seen, &records);
    records.remove(5);
    disagree(&seen, &records);
}

#[test]
fn what_was_held_back_when_other_faults_replaced_a_delay_may_come_earlier() {
    let (seen, acts) = kinds().into_iter().find(|(_, acts)| acts[0].fault == Fault::Delay).unwrap();
    let mut long = acts[19];
    long.delay_ns = Some(1_000_000_000);
    let (seen, mut records) = log(&seen, &[acts[0], long, act(Fault::Split, 1000)]);
    let seed_of = |record: &FaultRecord| if record.act.fault == Fault::Split { 8 } else { 7 };
    for record in &mut records {
        record.act.bytes = record.act.bytes.or(Some(7));
        record.seed = seed_of(record);
    }
    agree(&seen, &records);
    assert_eq!(judge(&seen, &records).unobservable, 3);
    records.retain(|record| record.act.fault != Fault::Split);
    disagree(&seen, &records);
}

#[test]
fn a_port_that_the_system_gives_again_has_the_records_of_each_connection() {
    let (damaged, dropped) = (vec![corrupt(100, 7)], vec![of_message(Fault::Drop, 3)]);
    let observations = [&damaged[..], &[], &dropped[..]].map(|acts| {
        let mut seen = model(acts);
        seen.peer = Some(peer(0));
        seen
    });
    let mut records = vec![record(0, damaged[0]), record(0, dropped[0])];
    records[1].connection = 2;
    agree(&observations, &records);
    let swapped = [record(0, dropped[0]), FaultRecord { connection: 2, ..record(0, damaged[0]) }];
    disagree(&observations, &swapped);
}

#[test]
fn records_of_datagrams_that_contradict_each_other_or_the_datagrams_are_found() {
    let of =
        |fault, number| FaultAct { message: Some(number), bytes: Some(LEN), ..act(fault, number) };
    let mut delay = of(Fault::Delay, 2);
    (delay.direction, delay.delay_ns) = (FaultAct::received(Fault::Delay, 2).direction, Some(1));
    let acts = [of(Fault::Drop, 1), of(Fault::Duplicate, 3), delay];
    let arrival = |number: u64| Arrival { number, at: 1000 * number, ..Arrival::default() };
    let datagrams = Datagrams {
        sent: 5,
        sent_at: vec![0; 5],
        arrivals: [0, 2, 3, 3, 4].map(arrival).to_vec(),
        ..Datagrams::default()
    };
    let seen = Observation { datagrams: Some(datagrams), ..Observation::default() };
    let (seen, mut records) = log(&seen, &acts);
    agree(&seen, &records);
    for index in 0..records.len() {
        let good = records[index].clone();
        let act = good.act;
        for edit in [
            FaultAct { offset: act.offset + 1, ..act },
            FaultAct { message: act.message.map(|it| it + 1), ..act },
            FaultAct { bytes: act.bytes.map(|it| it + 1), ..act },
        ] {
            records[index].act = edit;
            disagree(&seen, &records);
        }
        records[index] = good.clone();
        records.insert(index, good);
        disagree(&seen, &records);
        records.remove(index);
    }
}

proptest! {
    #[test]
    fn no_single_edit_of_a_record_of_bytes_or_messages_stays_unnoticed(
        acts in random_acts(),
        which in any::<prop::sample::Index>(),
        edit in 0..6_usize,
    ) {
        prop_assume!(!acts.is_empty());
        let (seen, mut records) = log(&model(&acts), &acts);
        let index = which.index(records.len());
        let figures = judge(&seen, &records);
        prop_assert_eq!(&figures.first_disagreements, &[]);
        let act = &mut records[index].act;
        let name = act.fault.name();
        prop_assume!(figures.kinds[name].unobservable == 0);
        match edit {
            0 => act.offset += 1,
            1 => {
                // The number may be one of `raw` unless lines precede and follow.
                let mut messages = acts.iter().filter(|it| it.message.is_some());
                prop_assume!(messages.clone().any(|it| it.offset < act.offset));
                prop_assume!(messages.any(|it| it.offset > act.offset));
                prop_assume!(act.message.map(|it| act.message = Some(it + 1)).is_some());
            }
            2 => prop_assume!(act.bytes.map(|it| act.bytes = Some(it + 1)).is_some()),
            3 => prop_assume!(act.mask.map(|it| act.mask = Some(it ^ 1)).is_some()),
            4 => drop(records.remove(index)),
            _ => records.insert(index, records[index].clone()),
        }
        prop_assert_ne!(judge(&seen, &records).disagreements, 0, "{:#?}", records);
    }
}
