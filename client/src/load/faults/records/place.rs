//! A record in words.

use common::fault::FaultAct;

use crate::load::ipc::observation::Observation;

/// Names a fault and its place.
pub(super) fn place(seen: &Observation, act: &FaultAct) -> String {
    let name = act.fault.name();
    match act.message {
        Some(number) if seen.datagrams.is_some() => format!("{name} of datagram {number}"),
        Some(number) => format!("{name} of message {number} at byte {}", act.offset),
        None => format!("{name} at byte {}", act.offset),
    }
}
