//! Judgement on one UDP socket.

use std::collections::BTreeMap;

use common::fault::{Fault, FaultAct};

use super::{judgement::Judgement, times::judge_delay};
use crate::load::{
    ipc::observation::{Arrival, Damage, Datagrams, Observation},
    worker::payload::streams::Streams,
};

/// What must arrive of one datagram.
#[derive(Clone, Debug, Default)]
struct Wanted {
    copies: usize,
    len: Option<u64>,
    damage: BTreeMap<u64, u8>,
    is_postponed: bool,
}

/// Compares a socket with the faults that its server has injected.
pub(super) fn judge(
    observation: &Observation,
    seen: &Datagrams,
    acts: &[FaultAct],
    streams: &Streams,
) -> Judgement {
    let mut judgement = Judgement::default();
    let wanted: Vec<_> = (0..seen.sent)
        .map(|number| wanted(number, acts, streams.line_len(observation.channel, number)))
        .collect();
    let mut arrived: BTreeMap<u64, Vec<&Arrival>> = BTreeMap::new();
    for arrival in &seen.arrivals {
        arrived.entry(arrival.number).or_default().push(arrival);
    }
    let none = Vec::new();
    let last = seen.arrivals.last().map_or(0, |last| last.number);
    let mut wrong = Vec::new();
    for (number, wanted) in (0..).zip(&wanted) {
        let copies = arrived.get(&number).unwrap_or(&none);
        if seen.is_limited && number >= last {
            break;
        }
        if let Some(text) = difference(number, wanted, copies) {
            wrong.push(number);
            judgement.disagree(text);
        }
    }
    judge_order(seen, &wanted, acts, &mut judgement);
    if seen.unrecognized > 0 {
        judgement.disagree(format!("{} datagrams arrived that it has not sent", seen.unrecognized));
    }
    if seen.is_unreachable {
        judgement.disagree("datagrams are not delivered: no server listens");
    }
    for act in acts {
        let number = act.message.unwrap_or(act.offset);
        let is_beyond = number >= seen.sent || seen.is_limited && number >= last;
        match act.fault {
            Fault::Delay => {
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let sent = seen.sent_at.get(index);
                let first = arrived.get(&number).and_then(|copies| copies.first());
                let passed = sent.zip(first).map(|(sent, first)| first.at.saturating_sub(*sent));
                judge_delay(act, passed, &mut judgement);
            }
            _ if is_beyond => judgement.miss(act),
            _ if wrong.contains(&number) => {}
            _ => judgement.find(act),
        }
    }
    judgement
}

fn wanted(number: u64, acts: &[FaultAct], len: u64) -> Wanted {
    let mut wanted = Wanted { copies: 1, ..Wanted::default() };
    for act in acts.iter().filter(|act| act.message.unwrap_or(act.offset) == number) {
        match act.fault {
            Fault::Drop => wanted.copies = 0,
            Fault::Duplicate => wanted.copies *= 2,
            Fault::Truncate => wanted.len = act.bytes.filter(|&kept| kept < len),
            Fault::Corrupt => {
                *wanted.damage.entry(act.offset).or_default() ^= act.mask.unwrap_or(0);
            }
            // One with a delay is late, in its place.
            Fault::Reorder => wanted.is_postponed |= act.delay_ns.is_none(),
            _ => {}
        }
    }
    wanted
}

/// Says what is wrong with the copies of a datagram that have arrived.
fn difference(number: u64, wanted: &Wanted, copies: &[&Arrival]) -> Option<String> {
    if copies.len() != wanted.copies {
        return Some(format!(
            "datagram {number} arrived {} times, and by the fault log it must arrive {} times",
            copies.len(),
            wanted.copies
        ));
    }
    let damage: Vec<_> = wanted
        .damage
        .iter()
        .filter(|(_, mask)| **mask != 0)
        .map(|(&at, &mask)| Damage { at, mask })
        .collect();
    let wrong = copies.iter().find(|copy| copy.len != wanted.len || copy.damage != damage)?;
    let describe = |len: Option<u64>, damage: &[Damage]| {
        let len = len.map_or_else(|| "its length".to_owned(), |len| format!("{len} bytes"));
        let bytes: Vec<_> =
            damage.iter().map(|it| format!("{} ({:#04x})", it.at, it.mask)).collect();
        let bytes = if bytes.is_empty() { "none".to_owned() } else { bytes.join(", ") };
        format!("{len} and these damaged bytes: {bytes}")
    };
    Some(format!(
        "datagram {number} arrived with {}; by the fault log it has {}",
        describe(wrong.len, &wrong.damage),
        describe(wanted.len, &damage)
    ))
}

/// Checks the order, which is known unless datagrams overtake each other by their delays.
fn judge_order(seen: &Datagrams, wanted: &[Wanted], acts: &[FaultAct], judgement: &mut Judgement) {
    if acts.iter().any(|act| act.fault == Fault::Delay) || !judgement.disagreements.is_empty() {
        return;
    }
    let mut order = Vec::new();
    let mut postponed: Option<(u64, usize)> = None;
    for (number, wanted) in (0_u64..).zip(wanted).filter(|(_, wanted)| wanted.copies > 0) {
        if wanted.is_postponed && postponed.is_none() {
            postponed = Some((number, wanted.copies));
            continue;
        }
        order.extend(std::iter::repeat_n(number, wanted.copies));
        if let Some((number, copies)) = postponed.take() {
            order.extend(std::iter::repeat_n(number, copies));
        }
    }
    let arrived = seen.arrivals.iter().map(|arrival| arrival.number);
    let wrong = arrived.zip(order).enumerate().find(|(_, (one, other))| one != other);
    if let Some((place, (arrived, due))) = wrong {
        judgement.disagree(format!(
            "datagram {arrived} arrived as number {place}, and by the fault log it is datagram {due}"
        ));
    }
}
