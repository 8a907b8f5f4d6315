//! The options of the log.

use std::path::PathBuf;

use log::LevelFilter;

/// Format of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `2024-01-15 10:30:45 - INFO - text`
    #[default]
    Text,
    /// One JSON object per line: `time`, `level`, `message`, and the fields of the event
    Json,
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

/// Options of the log.
#[derive(Clone, Debug)]
pub struct Options {
    /// The lowest level that is written.
    pub level: LevelFilter,
    /// See [`Format`].
    pub format: Format,
    /// See [`Overflow`].
    pub overflow: Overflow,
    /// The file to append to; standard error if there is none.
    pub file: Option<PathBuf>,
}

impl Options {
    /// Names of the settings that a running log cannot change.
    pub const FIXED: [&str; 3] = ["log-file", "log-format", "log-overflow"];

    /// Returns the names in [`FIXED`](Self::FIXED) whose settings differ.
    pub fn fixed_differences(&self, other: &Self) -> impl Iterator<Item = &'static str> + use<> {
        let differ =
            [self.file != other.file, self.format != other.format, self.overflow != other.overflow];
        Self::FIXED.into_iter().zip(differ).filter_map(|(name, differs)| differs.then_some(name))
    }
}
