//! How many messages a history has recorded.

/// Messages of the history of a server since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryStats {
    /// Messages that are committed to the database.
    pub recorded: u64,
    /// Messages that were dropped: the queue was full, or the database could not be written until the end.
    pub dropped: u64,
    /// Messages that wait for the database.
    pub waiting: u64,
}
