//! Figures of loads of one kind: over UDP, of a room, and against a server that injects faults.

pub(crate) mod datagram_counts;
pub(crate) mod fault_figures;
pub(crate) mod room_figures;
