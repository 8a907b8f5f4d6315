//! Options of the history: the record of all messages.

use std::{path::PathBuf, time::Duration};

/// The history of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// The database. It is created if it is missing.
    pub path: PathBuf,
    /// See [`Keep`].
    pub keep: Keep,
    /// See [`HistoryOverflow`].
    pub overflow: HistoryOverflow,
}

/// How much of the history stays. What exceeds a limit is deleted, the oldest messages first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Limit on the age of a message. `None`: unlimited.
    pub age: Option<Duration>,
    /// Limit on the size of the database, in bytes, without its journal. `None`: unlimited.
    pub bytes: Option<u64>,
}

/// Behaviour when messages arrive faster than they can be recorded and the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum HistoryOverflow {
    /// Wait while the database takes messages; drop and count them if it takes none
    #[default]
    Block,
    /// Drop and count messages; never wait
    Drop,
}
