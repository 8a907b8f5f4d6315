//! The functions that a thread calls when it flushes its log records.

/// The place of a function that a thread calls at its next flush.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "nothing is handed over"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushHook {
    /// Messages for the history.
    #[cfg(feature = "history")]
    History,
    /// Records of injected faults.
    FaultLog,
}

#[cfg(feature = "cli")]
impl FlushHook {
    /// Number of places.
    pub(super) const COUNT: usize = Self::FaultLog as usize + 1;
}
