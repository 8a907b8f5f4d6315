//! Records of one connection with one set of faults.

use common::fault::FaultAct;

/// Records of one connection, by the number that it has with one set of faults. It gets another number with each set.
#[derive(Clone, Debug)]
pub(in crate::load::faults) struct Numbered {
    pub(in crate::load::faults) listener: String,
    pub(in crate::load::faults) seed: u64,
    pub(in crate::load::faults) connection: u64,
    pub(in crate::load::faults) acts: Vec<FaultAct>,
}
