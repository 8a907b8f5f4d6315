//! Reasons why a history cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

use common::{escape::Escaped, reason::reason};
use rusqlite::ffi::ErrorCode;
use thiserror::Error;

use super::schema::VERSION;

/// Reason why the history cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the history {}: {cause}", shown(path))]
pub struct HistoryError {
    pub(crate) path: PathBuf,
    pub(crate) cause: Cause,
}

/// The reason, without the path.
#[derive(Debug, Error)]
pub(crate) enum Cause {
    #[error("it is not a database of SQLite; name another file")]
    NotADatabase,
    #[error("it is the database of another application; name another file")]
    Foreign,
    #[error(
        "its schema has version {0}, and this echo-server knows the versions up to {VERSION}; use a newer echo-server, or \
         name another file"
    )]
    Newer(i64),
    #[error("another echo-server records in it; give each server a file of its own")]
    InUse,
    #[error("another program has locked it; end the transaction of that program, then start again")]
    Locked,
    #[error("there is no such file; a server with --history creates it")]
    Missing,
    #[error("{}: {}", shown(.0), reason(.1))]
    RunFile(PathBuf, io::Error),
    #[error("cannot start its writer: {}", reason(.0))]
    Thread(io::Error),
    #[error("{}", words(.0))]
    Database(rusqlite::Error),
}

impl Cause {
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> HistoryError {
        HistoryError { path: path.into(), cause: self }
    }
}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            _ => Self::Database(error),
        }
    }
}

/// Returns an error of the database in words that say what to do, where there is something to do.
pub(crate) fn words(error: &rusqlite::Error) -> String {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "make room on it, or keep less (--history-keep)",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the server needs to write it and to create files in its directory"
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            "copy what sqlite3's .recover finds, and name another file"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "end the transaction of the program that has locked it"
        }
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}

/// Returns a path for a message.
pub(crate) fn shown(path: &Path) -> Escaped<'_> {
    Escaped(path.as_os_str().as_encoded_bytes())
}
