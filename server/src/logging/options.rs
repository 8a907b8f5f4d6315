//! The options of the log.

use std::path::PathBuf;

use log::LevelFilter;

use crate::config::LogReceipts;

/// Format of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `2024-01-15 10:30:45 - INFO - text`
    #[default]
    Text,
    /// One JSON object per line: `time`, `level`, `message`, and the fields of the event
    Json,
}

impl Format {
    /// Returns the receipts that a log in this format shows without a setting.
    #[must_use]
    pub fn receipts(self) -> LogReceipts {
        match self {
            Self::Text => LogReceipts::Totals,
            Self::Json => LogReceipts::Fields,
        }
    }
}

/// Behaviour when records arrive faster than they can be written and the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Overflow {
    /// Wait for a slow sink; drop and count records if the sink takes nothing at all
    #[default]
    Block,
    /// Drop and count records; never wait
    Drop,
}

/// Destination of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Standard error.
    #[default]
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, to which records are appended.
    File(PathBuf),
}

/// Options of the log.
#[derive(Clone, Debug)]
pub struct Options {
    /// The lowest level that is written.
    pub level: LevelFilter,
    /// See [`Format`].
    pub format: Format,
    /// See [`Overflow`].
    pub overflow: Overflow,
    /// See [`Destination`].
    pub destination: Destination,
}
