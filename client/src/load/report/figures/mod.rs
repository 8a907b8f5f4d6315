//! Figures of loads of one kind (over UDP, of a room, against a server that injects faults), and of the start of any load.

pub(crate) mod datagram_counts;
pub(crate) mod fault_figures;
pub(crate) mod room_figures;
pub(crate) mod start_figures;
