//! The seed and the number of a connection.

/// The seed of a listener's faults and the number of a connection. Together with the faults they determine all random
/// choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId {
    /// The seed.
    pub seed: u64,
    /// The number of the connection at its listener, from 0. Over UDP, of the source.
    pub connection: u64,
}
