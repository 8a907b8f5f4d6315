//! The records of a fault log, and the observations to which they belong.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use common::fault::FaultRecord;

use super::{
    datagrams,
    judgement::Judgement,
    records::{self, Numbered},
    stream,
};
use crate::load::{
    ipc::observation::Observation,
    report::figures::fault_figures::{Disagreement, ExcessFigures, FaultFigures},
    worker::payload::streams::Streams,
};

/// Maximum number of connections from one address, and of their sets of records, for which every assignment is tried.
const MAX_ASSIGNED: usize = 8;

/// Compares all observations of a load with the records of a fault log.
pub(crate) fn judge(
    observations: &[Observation],
    records: &[FaultRecord],
    streams: &Streams,
) -> FaultFigures {
    let mut peers: BTreeMap<SocketAddr, Vec<&Observation>> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for observation in observations {
        match observation.peer {
            Some(peer) => peers.entry(canonical(peer)).or_default().push(observation),
            None => unnamed.push(observation),
        }
    }
    let mut sets: BTreeMap<SocketAddr, Vec<Numbered>> = BTreeMap::new();
    let mut figures = FaultFigures::default();
    for record in records {
        let peer = record.peer.parse().ok().map(canonical);
        let Some(peer) = peer.filter(|peer| peers.contains_key(peer)) else {
            figures.of_others += 1;
            continue;
        };
        add_record(sets.entry(peer).or_default(), record);
    }
    let numbered: Vec<_> =
        sets.iter().flat_map(|(peer, sets)| sets.iter().map(|set| (*peer, set))).collect();
    for (peer, set, text) in records::compare(&numbered) {
        figures.disagreements += 1;
        add_disagreement(&mut figures, &peer.to_string(), Some(set), text);
    }
    let mut excess = Vec::new();
    for (peer, observations) in &peers {
        let sets = sets.get(peer).map_or(&[][..], Vec::as_slice);
        let ends = assign(observations, sets, streams);
        let mut start = 0;
        for (observation, end) in observations.iter().zip(ends) {
            let judgement = judge_one(observation, &sets[start..end], streams);
            add(&mut figures, &mut excess, &peer.to_string(), &sets[start..end], judgement);
            start = end;
        }
    }
    for observation in unnamed {
        let judgement = judge_one(observation, &[], streams);
        add(&mut figures, &mut excess, "a connection without an address", &[], judgement);
    }
    figures.excess = excess_figures(excess);
    figures
}

/// Adds a record to the sets of an address, which are in the order of their first records.
fn add_record(sets: &mut Vec<Numbered>, record: &FaultRecord) {
    let FaultRecord { ref listener, seed, connection, act, .. } = *record;
    let own = sets
        .iter_mut()
        .rfind(|set| (&set.listener, set.seed, set.connection) == (listener, seed, connection));
    if let Some(set) = own {
        set.acts.push(act);
    } else {
        sets.push(Numbered { listener: listener.clone(), seed, connection, acts: vec![act] });
    }
}

/// Returns for each connection from one address the end of its sets. The system gives an address again when it is free, a connection
/// without faults has no record, and one whose faults were replaced has several sets.
fn assign(observations: &[&Observation], sets: &[Numbered], streams: &Streams) -> Vec<usize> {
    let (count, total) = (observations.len(), sets.len());
    let in_order = || (1..=count).map(|end| if end == count { total } else { end.min(total) });
    if count == 1 || total == 0 || count.max(total) > MAX_ASSIGNED {
        return in_order().collect();
    }
    // The least cost, and the ends, of the connections so far, by the number of sets that they have.
    let mut best: Vec<Option<(Cost, Vec<usize>)>> = vec![None; total + 1];
    best[0] = Some((Cost::default(), Vec::new()));
    for observation in observations {
        let mut next: Vec<Option<(Cost, Vec<usize>)>> = vec![None; total + 1];
        for (start, before) in best.iter().enumerate() {
            let Some((cost, ends)) = before else { continue };
            for end in start..=total {
                let judgement = judge_one(observation, &sets[start..end], streams);
                let cost = (
                    cost.0 + judgement.disagreements.len(),
                    cost.1 + judgement.unobservable.len(),
                    cost.2 + (end - start).saturating_sub(1),
                );
                if next[end].as_ref().is_none_or(|(least, _)| cost < *least) {
                    next[end] = Some((cost, [&ends[..], &[end]].concat()));
                }
            }
        }
        best = next;
    }
    best.pop().flatten().map_or_else(|| in_order().collect(), |(_, ends)| ends)
}

/// Number of disagreements, of faults beyond what was read, and of sets that follow another one.
type Cost = (usize, usize, usize);

fn judge_one(observation: &Observation, sets: &[Numbered], streams: &Streams) -> Judgement {
    let checked = records::check(observation, sets, streams);
    let mut judgement = match &observation.datagrams {
        Some(seen) => datagrams::judge(observation, seen, &checked.acts, streams),
        None => stream::judge(observation, &checked, streams),
    };
    judgement.disagreements.extend(checked.contradictions);
    judgement
}

/// Adds the judgement on one connection.
fn add(
    figures: &mut FaultFigures,
    excess: &mut Vec<u64>,
    peer: &str,
    sets: &[Numbered],
    judgement: Judgement,
) {
    figures.connections += 1;
    figures.injected += sets.iter().map(|set| set.acts.len() as u64).sum::<u64>();
    figures.seeds.extend(sets.iter().map(|set| set.seed));
    figures.found += judgement.found.len() as u64;
    figures.unobservable += judgement.unobservable.len() as u64;
    for fault in judgement.found {
        figures.kinds.entry(fault.name().to_owned()).or_default().found += 1;
    }
    for fault in judgement.unobservable {
        figures.kinds.entry(fault.name().to_owned()).or_default().unobservable += 1;
    }
    excess.extend(judgement.excess);
    figures.disagreements += judgement.disagreements.len() as u64;
    for text in judgement.disagreements {
        add_disagreement(figures, peer, sets.first(), text);
    }
}

fn add_disagreement(figures: &mut FaultFigures, peer: &str, set: Option<&Numbered>, text: String) {
    if figures.first_disagreements.len() < FaultFigures::MAX_DISAGREEMENTS {
        figures.first_disagreements.push(Disagreement {
            peer: peer.to_owned(),
            seed: set.map(|set| set.seed),
            connection: set.map(|set| set.connection),
            text,
        });
    }
}

fn excess_figures(mut excess: Vec<u64>) -> Option<ExcessFigures> {
    excess.sort_unstable();
    let at =
        |percent: usize| excess.get((excess.len() * percent).div_ceil(100).max(1) - 1).copied();
    Some(ExcessFigures {
        count: excess.len() as u64,
        p50_ns: at(50)?,
        p99_ns: at(99)?,
        max_ns: at(100)?,
    })
}

/// Returns an address as both sides write it: a server on all addresses may name a client of IPv4 in the form of IPv6.
fn canonical(peer: SocketAddr) -> SocketAddr {
    let ip: IpAddr = peer.ip().to_canonical();
    SocketAddr::new(ip, peer.port())
}
