//! Checkpoints: the move of committed pages from the journal into the database.
//!
//! SQLite starts its journal again only in a moment without a reader of it. A checkpoint that waits makes such a moment:
//! readers that begin meanwhile read the database alone. Only a reader that never ends makes the journal grow.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use log::warn;
use rusqlite::Connection;

use crate::{
    config::{
        Keep,
        history_limits::{
            BUSY_TIMEOUT, CHECKPOINT, CHECKPOINT_INTERVAL, CHECKPOINT_WAIT, JOURNAL,
            JOURNAL_WARNING,
        },
    },
    history::store::{journal_path, shown},
};

/// Size of a page, in bytes: that of every database that SQLite creates.
const PAGE: u64 = 4096;

/// Decides when there is a checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoints {
    journal: PathBuf,
    /// Bytes in the journal that are not in the database yet, from which there is a checkpoint.
    threshold: u64,
    last_wait: Option<Instant>,
    has_warned: bool,
}

impl Checkpoints {
    pub(super) fn new(database: &Path, keep: Keep) -> Self {
        let threshold = keep.bytes.map_or(CHECKPOINT, |bytes| CHECKPOINT.min(bytes / 8));
        Self { journal: journal_path(database), threshold, last_wait: None, has_warned: false }
    }

    /// Makes a checkpoint if it is due. An error shows again at the next transaction.
    pub(super) fn run(&mut self, connection: &Connection) {
        let is_due = unmoved_bytes(connection).is_ok_and(|bytes| bytes >= self.threshold);
        if !is_due || checkpoint(connection, "PASSIVE").is_err() {
            return;
        }
        let size = fs::metadata(&self.journal).map_or(0, |metadata| metadata.len());
        if size <= JOURNAL.max(self.threshold) {
            self.has_warned = false;
            return;
        }
        if self.last_wait.is_none_or(|last| last.elapsed() >= CHECKPOINT_INTERVAL) {
            self.last_wait = Some(Instant::now());
            // The timeouts of a connection that is open can be set.
            let _ = connection.busy_timeout(CHECKPOINT_WAIT);
            let _ = checkpoint(connection, "TRUNCATE");
            let _ = connection.busy_timeout(BUSY_TIMEOUT);
        }
        if size > JOURNAL_WARNING && !std::mem::replace(&mut self.has_warned, true) {
            let mebibytes = size >> 20;
            warn!(event = "history-journal", mebibytes;
                "{} has {mebibytes} MiB and grows: a program keeps a transaction on the history open; end it",
                shown(&self.journal));
        }
    }
}

/// Moves all pages into the database and gives the space of the journal back, if the system and other programs allow it.
pub(super) fn make_room(connection: &Connection) {
    // If it fails, the next transaction fails too, and is tried again.
    let _ = checkpoint(connection, "TRUNCATE");
}

/// Returns the bytes in the journal that are not in the database yet.
fn unmoved_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let mut state = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    let pages = state.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))?;
    Ok(pages.max(0).cast_unsigned() * PAGE)
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::store::open_writer;

    #[test]
    fn a_checkpoint_follows_what_any_transaction_has_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        let database = open_writer(&path).unwrap();
        // From 256 KiB on.
        let keep = Keep { bytes: Some(2 * 1024 * 1024), ..Keep::default() };
        let mut checkpoints = Checkpoints::new(&path, keep);
        make_room(&database);
        let write = |bytes: u32| {
            let insert = "INSERT INTO rooms (name) VALUES (zeroblob(?1))";
            database.execute(insert, [bytes]).unwrap();
        };
        write(100_000);
        checkpoints.run(&database);
        assert!(unmoved_bytes(&database).unwrap() > 100_000);
        write(300_000);
        checkpoints.run(&database);
        assert_eq!(unmoved_bytes(&database).unwrap(), 0);
    }
}
