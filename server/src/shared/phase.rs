//! The phase of a server: running, draining, stopped. It only advances.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

/// Phase of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Accepting and serving connections.
    Running,
    /// Not accepting; open connections receive the rest of their echo and are half-closed.
    Draining,
    /// All connections are dropped.
    Stopped,
}

/// The phase as all threads of a server see it.
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

    /// Advances to `phase`, unless the server is already in it or past it. Returns whether the phase changed.
    pub(crate) fn advance(&self, phase: Phase) -> bool {
        self.0.fetch_max(phase as u8, SeqCst) < phase as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_never_goes_back() {
        let phase = PhaseCell::default();
        assert_eq!(phase.get(), Phase::Running);
        assert!(phase.advance(Phase::Stopped));
        assert!(!phase.advance(Phase::Draining));
        assert_eq!(phase.get(), Phase::Stopped);
    }
}
