//! What the connections of one set of faults have in common. A set has a seed of its own at its listener.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::SocketAddr,
};

use common::fault::{Fault, FaultAct};

use super::numbered::Numbered;

/// Figures that a set of faults determines.
type Value = (Option<u64>, Option<u64>, Option<u64>, Option<u16>);

/// Record of a connection, and a sentence about what contradicts it.
pub(in crate::load::faults) type Contradiction<'n> = (SocketAddr, &'n Numbered, String);

/// Compares the records of all connections.
pub(in crate::load::faults) fn compare<'n>(
    numbered: &[(SocketAddr, &'n Numbered)],
) -> Vec<Contradiction<'n>> {
    let mut contradictions = Vec::new();
    let mut peers = BTreeMap::new();
    let mut values: BTreeMap<_, BTreeMap<Value, Vec<(SocketAddr, &Numbered)>>> = BTreeMap::new();
    for &(peer, set) in numbered {
        match peers.entry((&set.listener, set.seed, set.connection)) {
            Entry::Vacant(vacant) => _ = vacant.insert(peer),
            Entry::Occupied(other) if *other.get() == peer => {}
            Entry::Occupied(other) => contradictions.push((
                peer,
                set,
                format!("the fault log has the connection of {} with the same number", other.get()),
            )),
        }
        for act in &set.acts {
            if let Some(value) = value(act) {
                let those = values.entry((&set.listener, set.seed, act.fault)).or_default();
                those.entry(value).or_default().push((peer, set));
            }
        }
    }
    for ((.., fault), values) in values {
        let Some(most) = values.values().map(Vec::len).max() else { continue };
        let usual = values.iter().find(|(_, those)| those.len() == most);
        let others =
            values.iter().filter(|(value, _)| Some(*value) != usual.map(|(usual, _)| usual));
        for (peer, set) in others.flat_map(|(_, those)| those) {
            let text = format!(
                "the fault log has {} with other figures than for other connections of its seed",
                fault.name()
            );
            contradictions.push((*peer, *set, text));
        }
    }
    contradictions
}

fn value(act: &FaultAct) -> Option<Value> {
    let FaultAct { offset, bytes, delay_ns, code, .. } = *act;
    match act.fault {
        Fault::StallAfter => Some((Some(offset), None, delay_ns, None)),
        Fault::AcceptDelay | Fault::HandshakeStall | Fault::Coalesce => {
            Some((None, None, delay_ns, None))
        }
        Fault::Throttle | Fault::Drip | Fault::Split => Some((None, bytes, delay_ns, None)),
        Fault::Truncate => Some((None, bytes, None, None)),
        Fault::CloseCode => Some((None, None, None, code)),
        _ => None,
    }
}
