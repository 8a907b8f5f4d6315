//! How many messages a history has recorded, for other threads.

use std::sync::Arc;

use super::queue::Queue;

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

/// Reads the numbers of a history, also after its end.
#[derive(Debug)]
pub(crate) struct StatsReader(pub(super) Arc<Queue>);

impl StatsReader {
    /// Returns the numbers of this moment. Messages that a thread is yet to hand over count later, after its iteration.
    pub(crate) fn stats(&self) -> HistoryStats {
        self.0.stats()
    }
}
