//! The arguments of `echo-server history`.

use std::{ffi::OsString, num::NonZeroUsize, os::unix::ffi::OsStringExt as _, path::PathBuf};

use clap::{Args, ValueHint, builder::OsStringValueParser};
use common::cli::at_least_one;
use server::{
    history::search::Query,
    settings::{Diagnostics, Sources},
};

use super::{format::Format, time::moment};

/// Conditions, all of which a message has to meet, and the form of the output.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct HistoryArgs {
    /// The database [default: the setting 'history' of the environment or of --config]
    #[arg(value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Configuration file of the server that records
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "file")]
    config: Option<PathBuf>,
    /// Messages of this peer: its address, with or without the port
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<String>,
    /// Messages of this user, or of this name in a room; NAME also finds the user @NAME of a room
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Messages of this room
    #[arg(long, value_name = "NAME")]
    room: Option<String>,
    /// Messages from this time on: 1h (ago), 2026-01-31, '2026-01-31 10:30' or with a zone
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,
    /// Messages up to this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<i64>,
    /// Messages that contain this text; it has no wildcards
    #[arg(long, value_name = "TEXT", value_parser = OsStringValueParser::new())]
    grep: Option<OsString>,
    /// The text matches ASCII letters of either case
    #[arg(long, short, requires = "grep")]
    ignore_case: bool,
    /// Only the last messages, this many
    #[arg(long, short = 'n', value_name = "N", value_parser = at_least_one)]
    pub(super) limit: Option<NonZeroUsize>,
    #[command(flatten)]
    format: FormatArgs,
    /// Print new messages as they are recorded, after the last ten
    #[arg(long, short, conflicts_with = "until")]
    pub(super) follow: bool,
}

/// The form of the output.
#[derive(Debug, Args)]
struct FormatArgs {
    /// Print an object of JSON for each message
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values, with a line of names
    #[arg(long)]
    csv: bool,
}

const EXAMPLES: &str = "\
The messages are in the order in which they were recorded. The time is local; in JSON and CSV it is UTC. \
Control characters are shown as \\x1b or \\n, and invalid UTF-8 as \\xff. JSON has such a message in base64.

Examples:
  echo-server history echo.db --since 1h               the messages of the last hour
  echo-server history echo.db --grep 'a \"quoted\" word'  those with this text
  echo-server history echo.db --peer 192.0.2.7 --follow  those of a peer, as they arrive
  echo-server history --config echo.toml --json > all.jsonl

Exit status:
  0  the search is complete; it may have found nothing
  1  the history cannot be read
  2  an argument is invalid";

impl HistoryArgs {
    /// Returns the path of the history: the one that is named, or that of the settings, if they have one.
    pub(crate) fn path(&self) -> Result<Option<PathBuf>, Diagnostics> {
        match &self.file {
            Some(path) => Ok(Some(path.clone())),
            None => Sources::without_flags(self.config.clone(), std::env::vars_os()).history(),
        }
    }

    pub(super) fn query(&self) -> Query {
        Query {
            peer: self.peer.clone(),
            user: self.user.clone(),
            room: self.room.clone(),
            since: self.since,
            until: self.until,
            text: self.grep.clone().map(OsString::into_vec),
            ignores_case: self.ignore_case,
        }
    }

    pub(super) fn format(&self) -> Format {
        match self.format {
            FormatArgs { json: true, .. } => Format::Json,
            FormatArgs { csv: true, .. } => Format::Csv,
            FormatArgs { .. } => Format::Plain,
        }
    }
}
