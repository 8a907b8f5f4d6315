//! The deletion of messages that are too old or too many, the oldest first.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use crate::{
    config::{
        Keep,
        history_limits::{RETENTION_INTERVAL, RETENTION_ROWS},
    },
    history::{batch::unix_micros, store::index_table},
};

/// Deletes what exceeds the limits.
#[derive(Debug)]
pub(super) struct Deletion {
    keep: Keep,
    /// The time from which the next step may begin.
    due: Instant,
}

/// A result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing exceeds the limits.
    Nothing,
    /// Messages were deleted; there may be more.
    Deleted,
}

impl Deletion {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, due: Instant::now() }
    }

    /// Returns how long the next step is to wait, if there is one.
    pub(super) fn wait(&self) -> Option<Duration> {
        let is_limited = self.keep != Keep::default();
        is_limited.then(|| self.due.saturating_duration_since(Instant::now()))
    }

    /// Takes a step, if it is due.
    pub(super) fn run(&mut self, connection: &mut Connection) -> rusqlite::Result<Step> {
        if self.wait() != Some(Duration::ZERO) {
            return Ok(Step::Nothing);
        }
        let step = self.step(connection);
        if !matches!(step, Ok(Step::Deleted)) {
            self.due = Instant::now() + RETENTION_INTERVAL;
        }
        step
    }

    fn step(&self, connection: &mut Connection) -> rusqlite::Result<Step> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(first) = first_record(&transaction)? else { return Ok(Step::Nothing) };
        let too_old = self.last_too_old(&transaction)?;
        let Some(last) = too_old.max(self.last_too_many(&transaction, first)?) else {
            return Ok(Step::Nothing);
        };
        let last = last.min(first.saturating_add(RETENTION_ROWS - 1));
        transaction.execute("DELETE FROM records WHERE id <= ?1", [last])?;
        delete_unused(&transaction, last)?;
        transaction.commit()?;
        // Gives the space of the rows back to the file system, if much of the file is unused.
        shrink(connection)?;
        Ok(Step::Deleted)
    }

    /// Returns the last record of the oldest segments in which every message is too old.
    fn last_too_old(&self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        let Some(age) = self.keep.age else { return Ok(None) };
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        connection.query_row(
            "SELECT max(last_record) FROM segments
             WHERE id < coalesce((SELECT min(id) FROM segments WHERE last_time >= ?1), 9000000000000000000)",
            [unix_micros().saturating_sub(age)],
            |row| row.get(0),
        )
    }

    /// Returns the last of the records that are to be deleted because the database is too large.
    fn last_too_many(&self, connection: &Connection, first: i64) -> rusqlite::Result<Option<i64>> {
        let Some(limit) = self.keep.bytes else { return Ok(None) };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let used = (pragma(connection, "page_count")? - pragma(connection, "freelist_count")?)
            * pragma(connection, "page_size")?;
        if used <= limit {
            return Ok(None);
        }
        let last: i64 =
            connection.query_row("SELECT max(id) FROM records", [], |row| row.get(0))?;
        // The share of the rows that is as large as the share of the bytes.
        let excess = used - limit / 16 * 15;
        let rows = i128::from(last - first + 1) * i128::from(excess) / i128::from(used);
        Ok(Some(first + i64::try_from(rows).unwrap_or(RETENTION_ROWS).max(1) - 1))
    }
}

fn first_record(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT min(id) FROM records", [], |row| row.get(0))
}

/// Deletes what belongs only to records up to `last`, which are deleted.
fn delete_unused(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let origins: Option<i64> = connection.query_row(
        "SELECT max(last_origin) FROM segments WHERE last_record <= ?1",
        [last],
        |row| row.get(0),
    )?;
    if let Some(origins) = origins {
        connection.execute("DELETE FROM origins WHERE id <= ?1", [origins])?;
        connection.execute("DELETE FROM segments WHERE last_record <= ?1", [last])?;
        connection.execute(
            "DELETE FROM rooms WHERE NOT EXISTS (SELECT 1 FROM records WHERE room = rooms.id)",
            [],
        )?;
    }
    let select = "SELECT id FROM indexes WHERE last_record <= ?1 ORDER BY id LIMIT 1";
    let part = connection.query_row(select, [last], |row| row.get::<_, i64>(0)).optional()?;
    if let Some(part) = part {
        connection.execute_batch(&format!("DROP TABLE {}", index_table(part)))?;
        connection.execute("DELETE FROM indexes WHERE id = ?1", [part])?;
    }
    Ok(())
}

fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    if pragma(connection, "freelist_count")? > pragma(connection, "page_count")? / 4 {
        connection.execute_batch("PRAGMA incremental_vacuum(500)")?;
    }
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}
