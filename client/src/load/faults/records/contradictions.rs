//! Contradictions in the records of one connection, or of one UDP socket.

use std::collections::BTreeSet;

use common::fault::{Direction, Fault, FaultAct};

use super::{messages, numbered::Numbered, place::place};
use crate::load::{
    ipc::observation::{Datagrams, Observation},
    worker::payload::{echo_stream::EchoStream, streams::Streams},
};

/// Records of one connection that do not contradict each other, and sentences about those that do.
#[derive(Debug, Default)]
pub(in crate::load::faults) struct Checked {
    pub(in crate::load::faults) acts: Vec<FaultAct>,
    /// Those of faults that others have replaced.
    pub(in crate::load::faults) replaced: Vec<FaultAct>,
    pub(in crate::load::faults) contradictions: Vec<String>,
}

/// What can happen once: the record of a second time contradicts the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Once {
    /// The end of the sent bytes.
    End,
    /// A fault of a byte, a message or a datagram.
    At(Fault, u64, u64),
    /// A fault that a set of faults brings once.
    InSet(Fault, bool, usize),
}

/// Checks the records of a connection, which has one number with each set of faults.
pub(in crate::load::faults) fn check(
    seen: &Observation,
    sets: &[Numbered],
    streams: &Streams,
) -> Checked {
    let mut checked = Checked::default();
    check_numbers(sets, &mut checked);
    let mut happened = BTreeSet::new();
    for (index, set) in sets.iter().enumerate() {
        for act in &set.acts {
            if happened.insert(once(seen, act, index)) {
                checked.acts.push(*act);
                checked.replaced.extend((index + 1 < sets.len()).then_some(*act));
            } else {
                let what = place(seen, act);
                checked.contradict(format!("the fault log has {what}, which cannot happen again"));
            }
        }
        check_reads(seen, set, &mut checked);
    }
    check_fates(seen, &mut checked);
    for act in checked.acts.clone() {
        checked.contradictions.extend(impossible(seen, &act));
    }
    if let Some(datagrams) = &seen.datagrams {
        check_datagrams(seen, datagrams, streams, &mut checked);
    } else {
        let first = (seen.first_line, seen.first_offset);
        let mut echo = EchoStream::new(streams, seen.channel, first, seen.opcode);
        let contradictions = messages::check(seen, &checked.acts, &mut echo);
        checked.contradictions.extend(contradictions);
    }
    checked
}

impl Checked {
    fn contradict(&mut self, text: String) {
        self.contradictions.push(text);
    }
}

/// Checks that each set of faults has one number for the connection.
fn check_numbers(sets: &[Numbered], checked: &mut Checked) {
    for (index, set) in sets.iter().enumerate() {
        let other = sets[..index]
            .iter()
            .find(|other| other.listener != set.listener || other.seed == set.seed);
        if let Some(other) = other {
            checked.contradict(format!(
                "the fault log has it as number {} with the seed {} at {}, and as number {} with the seed {} at {}",
                other.connection, other.seed, other.listener, set.connection, set.seed, set.listener
            ));
        }
    }
}

fn once(seen: &Observation, act: &FaultAct, set: usize) -> Once {
    let message = act.message.unwrap_or(act.offset);
    match act.fault {
        Fault::Drop | Fault::Duplicate | Fault::Reorder => Once::At(act.fault, message, 0),
        Fault::Corrupt | Fault::Delay | Fault::Truncate if seen.datagrams.is_some() => {
            Once::At(act.fault, message, act.offset)
        }
        Fault::Corrupt | Fault::Delay | Fault::Coalesce => Once::At(act.fault, act.offset, 0),
        Fault::ResetAfter
        | Fault::CloseAfter
        | Fault::HalfCloseAfter
        | Fault::Truncate
        | Fault::Refuse => Once::End,
        fault => Once::InSet(fault, act.direction == Direction::Sent, set),
    }
}

/// Checks that reads which were delayed follow each other. Between two of the same delay, no read is without: only `jitter` can bring
/// a delay of zero, and it does not bring the same one twice.
fn check_reads(seen: &Observation, set: &Numbered, checked: &mut Checked) {
    if seen.datagrams.is_some() {
        return;
    }
    for fault in [Fault::Delay, Fault::Coalesce] {
        let reads: Vec<_> = set.acts.iter().filter(|act| act.fault == fault).collect();
        let is_constant = fault == Fault::Delay
            && reads.windows(2).all(|pair| pair[0].delay_ns == pair[1].delay_ns);
        for pair in reads.windows(2) {
            let end = end_of(pair[0]);
            let next = pair[1].offset;
            if next < end || is_constant && next > end {
                checked.contradict(format!(
                    "the fault log has {} of the received bytes {}..{end}, and next of those from {next} on",
                    fault.name(),
                    pair[0].offset
                ));
            }
        }
    }
}

/// Checks that a message which was dropped has no other fault.
fn check_fates(seen: &Observation, checked: &mut Checked) {
    let number = |act: &FaultAct| act.message.unwrap_or(act.offset);
    let of = |fault| checked.acts.iter().filter(move |act| act.fault == fault);
    let dropped: BTreeSet<_> = of(Fault::Drop).map(number).collect();
    let others = [Fault::Duplicate, Fault::Reorder].into_iter().flat_map(of);
    let texts: Vec<_> = others
        .filter(|act| dropped.contains(&number(act)))
        .map(|act| format!("the fault log has {}, and drop of the same", place(seen, act)))
        .collect();
    checked.contradictions.extend(texts);
}

/// Returns why a record is one that no server can write about this client.
fn impossible(seen: &Observation, act: &FaultAct) -> Option<String> {
    let is_received = act.direction == Direction::Received;
    let is_of_received = matches!(act.fault, Fault::Delay | Fault::Coalesce | Fault::AcceptDelay);
    if is_received != is_of_received && act.fault != Fault::Throttle {
        let direction = if is_received { "received" } else { "sent" };
        return Some(format!(
            "the fault log has {} of {direction} bytes, which has none",
            act.fault.name()
        ));
    }
    let is_at_begin = matches!(
        act.fault,
        Fault::AcceptDelay | Fault::HandshakeStall | Fault::Refuse | Fault::LoginWrongProof
    );
    if is_at_begin && act.offset != 0 {
        return Some(format!("the fault log has {}, which is always at byte 0", place(seen, act)));
    }
    let is_beyond =
        seen.datagrams.is_none() && is_received && !is_at_begin && end_of(act) > seen.sent;
    is_beyond.then(|| {
        format!(
            "the fault log has {} of received bytes up to {}; the client sent {}",
            act.fault.name(),
            end_of(act),
            seen.sent
        )
    })
}

/// Checks the numbers and the lengths of datagrams.
fn check_datagrams(
    seen: &Observation,
    datagrams: &Datagrams,
    streams: &Streams,
    checked: &mut Checked,
) {
    for act in checked.acts.clone() {
        let number = act.message.unwrap_or(act.offset);
        let what = place(seen, &act);
        if number >= datagrams.sent {
            checked.contradict(format!(
                "the fault log has {what}; the client sent {} datagrams",
                datagrams.sent
            ));
            continue;
        }
        if act.fault != Fault::Corrupt && number != act.offset {
            checked.contradict(format!("the fault log has {what} at the offset {}", act.offset));
        }
        let len = streams.line_len(seen.channel, number);
        let is_whole =
            matches!(act.fault, Fault::Drop | Fault::Duplicate | Fault::Reorder | Fault::Delay);
        if let Some(bytes) = act.bytes.filter(|&bytes| is_whole && bytes != len) {
            checked
                .contradict(format!("the fault log has {what} with {bytes} bytes; it has {len}"));
        }
    }
}

fn end_of(act: &FaultAct) -> u64 {
    act.offset.saturating_add(act.bytes.filter(|_| act.fault != Fault::Throttle).unwrap_or(0))
}
