//! The totals of the log of this process.

/// Records of the log, since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records that were written.
    pub written: u64,
    /// Records that were dropped: the queue was full, or the file refused them.
    pub dropped: u64,
}
