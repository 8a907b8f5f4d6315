//! Where the server is in its life: running, draining, stopped. It only ever moves forward.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

/// A server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Accepting and serving.
    Running,
    /// Accepting nobody; those who are here get what is owed to them and then leave.
    Draining,
    /// Everything is dropped where it stands.
    Stopped,
}

/// The phase that all threads of a server look at.
#[derive(Debug, Default)]
pub(crate) struct PhaseCell(AtomicU8);

impl PhaseCell {
    pub(crate) fn get(&self) -> Phase {
        match self.0.load(SeqCst) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Moves on to `phase` unless it is already there or further; says whether it moved.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        self.0.fetch_max(phase as u8, SeqCst) < phase as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_never_goes_back() {
        let phase = PhaseCell::default();
        assert_eq!(phase.get(), Phase::Running);
        assert!(phase.advance(Phase::Stopped));
        assert!(!phase.advance(Phase::Draining));
        assert_eq!(phase.get(), Phase::Stopped);
    }
}
