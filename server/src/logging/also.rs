//! What a thread hands over together with its log records.

/// Something that is handed over together with the records of a thread.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "nothing is handed over"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Also {
    /// Messages for the history.
    #[cfg(feature = "history")]
    History,
    /// Records of injected faults.
    FaultLog,
}
