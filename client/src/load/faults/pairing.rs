//! The records of a fault log, and the observations to which they belong.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use common::fault::{FaultAct, FaultRecord};

use super::{datagrams, judgement::Judgement, stream};
use crate::load::{
    ipc::observation::Observation,
    report::figures::fault_figures::{Disagreement, ExcessFigures, FaultFigures},
    worker::payload::streams::Streams,
};

/// Maximum number of connections with the same address for which every assignment is tried.
const MAX_ASSIGNED: usize = 6;

/// Faults of one connection of a listener.
#[derive(Clone, Debug)]
struct Faults {
    seed: u64,
    connection: u64,
    acts: Vec<FaultAct>,
}

/// Connection that a listener has numbered: its name, the seed and the number.
type Number = (String, u64, u64);

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
    let mut faults: BTreeMap<SocketAddr, BTreeMap<Number, Faults>> = BTreeMap::new();
    let mut figures = FaultFigures::default();
    for record in records {
        let peer = record.peer.parse().ok().map(canonical);
        let Some(peer) = peer.filter(|peer| peers.contains_key(peer)) else {
            figures.of_others += 1;
            continue;
        };
        let FaultRecord { listener, seed, connection, .. } = record;
        let (seed, connection) = (*seed, *connection);
        let of_peer = faults.entry(peer).or_default();
        let faults = of_peer.entry((listener.clone(), seed, connection));
        faults.or_insert(Faults { seed, connection, acts: Vec::new() }).acts.push(record.act);
    }
    let mut excess = Vec::new();
    for (peer, observations) in &peers {
        let faults: Vec<_> = faults.remove(peer).unwrap_or_default().into_values().collect();
        judge_peer(&mut figures, &mut excess, &peer.to_string(), observations, &faults, streams);
    }
    for observation in unnamed {
        let judgement = judge_one(observation, &[], streams);
        add(&mut figures, &mut excess, "a connection without an address", None, judgement);
    }
    figures.excess = excess_figures(excess);
    figures
}

/// Compares the connections from one address, in the order of their ends, with those that the server has numbered.
fn judge_peer(
    figures: &mut FaultFigures,
    excess: &mut Vec<u64>,
    peer: &str,
    observations: &[&Observation],
    faults: &[Faults],
    streams: &Streams,
) {
    let chosen = match (observations, faults) {
        ([_], [_] | []) => faults.first().map(|_| 0).into_iter().collect(),
        _ => assign(observations, faults, streams),
    };
    for (index, observation) in observations.iter().enumerate() {
        let faults = chosen.iter().position(|&at| at == index).map(|at| &faults[at]);
        let acts = faults.map_or(&[][..], |faults| &faults.acts);
        add(figures, excess, peer, faults, judge_one(observation, acts, streams));
    }
    for faults in faults.iter().skip(chosen.len()) {
        let text = "the fault log has more connections from this address than the load has made";
        let judgement = Judgement { disagreements: vec![text.to_owned()], ..Judgement::default() };
        figures.connections -= 1;
        add(figures, excess, peer, Some(faults), judgement);
    }
}

/// Returns for each numbered connection the index of its observation, in order. The system gives an address again when it is free, and
/// a connection without faults has no record.
fn assign(observations: &[&Observation], faults: &[Faults], streams: &Streams) -> Vec<usize> {
    let count = faults.len().min(observations.len());
    let in_order: Vec<usize> = (0..count).collect();
    if count == observations.len() || observations.len() > MAX_ASSIGNED {
        return in_order;
    }
    let disagreements = |chosen: &[usize]| -> usize {
        (0..observations.len())
            .map(|index| {
                let faults = chosen.iter().position(|&at| at == index).map(|at| &faults[at]);
                let acts = faults.map_or(&[][..], |faults| &faults.acts);
                judge_one(observations[index], acts, streams).disagreements.len()
            })
            .sum()
    };
    let choices =
        (0_u32..1 << observations.len()).filter(|bits| bits.count_ones() as usize == count);
    let choices = choices
        .map(|bits| (0..observations.len()).filter(|at| bits >> at & 1 == 1).collect::<Vec<_>>());
    choices.min_by_key(|chosen| disagreements(chosen)).unwrap_or(in_order)
}

fn judge_one(observation: &Observation, acts: &[FaultAct], streams: &Streams) -> Judgement {
    match &observation.datagrams {
        Some(seen) => datagrams::judge(observation, seen, acts, streams),
        None => stream::judge(observation, acts, streams),
    }
}

/// Adds the judgement on one connection.
fn add(
    figures: &mut FaultFigures,
    excess: &mut Vec<u64>,
    peer: &str,
    faults: Option<&Faults>,
    judgement: Judgement,
) {
    figures.connections += 1;
    figures.injected += faults.map_or(0, |faults| faults.acts.len() as u64);
    figures.seeds.extend(faults.map(|faults| faults.seed));
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
        if figures.first_disagreements.len() < FaultFigures::MAX_DISAGREEMENTS {
            figures.first_disagreements.push(Disagreement {
                peer: peer.to_owned(),
                seed: faults.map(|faults| faults.seed),
                connection: faults.map(|faults| faults.connection),
                text,
            });
        }
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
