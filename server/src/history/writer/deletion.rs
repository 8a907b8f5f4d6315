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
    /// Messages were deleted, or a part of the index without messages; there may be more.
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
        if drop_unused_part(&transaction, first)? {
            // It may have been what was too much, so the next step measures again.
            transaction.commit()?;
            shrink(connection)?;
            return Ok(Step::Deleted);
        }
        let too_old = self.last_too_old(&transaction)?;
        let Some(last) = too_old.max(self.last_too_many(&transaction, first)?) else {
            return Ok(Step::Nothing);
        };
        // The messages of one part of the index at most: how much that gives shows when the part is dropped.
        let part = "SELECT min(last_record) FROM indexes WHERE last_record >= ?1";
        let part: Option<i64> = transaction.query_row(part, [first], |row| row.get(0))?;
        let last = last.min(first.saturating_add(RETENTION_ROWS - 1)).min(part.unwrap_or(i64::MAX));
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
        let used = used_bytes(connection)?;
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
    Ok(())
}

/// Drops the oldest part of the index if all of its records are before `first`, so deleted. Returns whether it was so. The
/// part that grows stays.
fn drop_unused_part(connection: &Connection, first: i64) -> rusqlite::Result<bool> {
    let select = "SELECT id FROM indexes
                  WHERE last_record < ?1 AND id < (SELECT max(id) FROM indexes) ORDER BY id LIMIT 1";
    let part = connection.query_row(select, [first], |row| row.get::<_, i64>(0)).optional()?;
    if let Some(part) = part {
        connection.execute_batch(&format!("DROP TABLE {}", index_table(part)))?;
        connection.execute("DELETE FROM indexes WHERE id = ?1", [part])?;
    }
    Ok(part.is_some())
}

fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    if pragma(connection, "freelist_count")? > pragma(connection, "page_count")? / 4 {
        connection.execute_batch("PRAGMA incremental_vacuum(500)")?;
    }
    Ok(())
}

/// Returns the size of the pages in use.
fn used_bytes(connection: &Connection) -> rusqlite::Result<i64> {
    let pages = pragma(connection, "page_count")? - pragma(connection, "freelist_count")?;
    Ok(pages * pragma(connection, "page_size")?)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::history::{store::open_writer, writer::index::Index};

    /// Adds messages without repetitions of about `bytes` each after `last`, and returns the last one.
    fn insert(database: &mut Connection, last: i64, count: i64, bytes: i64) -> i64 {
        let transaction = database.transaction().unwrap();
        for id in last + 1..=last + count {
            let mut state = id.cast_unsigned();
            let words = (0..bytes / 8).map(|_| {
                state =
                    state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                format!("{:07x} ", state >> 36)
            });
            let body = words.collect::<Vec<_>>().concat();
            let insert =
                "INSERT INTO records VALUES (?1, 0, 1, NULL, NULL, 0, ?2, CAST(?3 AS BLOB))";
            transaction.execute(insert, params![id, bytes, body]).unwrap();
        }
        transaction.commit().unwrap();
        last + count
    }

    #[test]
    fn a_full_database_stays_between_three_quarters_of_its_limit_and_the_limit() {
        for (limit, bytes, halves) in [(256 << 10, 100, 8), (1 << 20, 100, 1), (1 << 20, 2_000, 1)]
        {
            let directory = tempfile::tempdir().unwrap();
            let mut database = open_writer(&directory.path().join("history.db")).unwrap();
            database
                .execute_batch("INSERT INTO origins VALUES (1, 'l', 'text', 'p', NULL)")
                .unwrap();
            let keep = Keep { bytes: Some(limit), ..Keep::default() };
            let deletion = Deletion::new(keep);
            let mut index = Index::new(&database, keep).unwrap();
            let limit = i64::try_from(limit).unwrap();
            let (mut last, mut is_full) = (0, false);
            for _ in 0..6 {
                last = insert(&mut database, last, halves * limit / 2 / bytes, bytes);
                // As the writer: the index follows in steps, and deletion after each.
                let mut is_indexed = false;
                while !is_indexed {
                    is_indexed = index.step(&mut database, last).unwrap();
                    while deletion.step(&mut database).unwrap() == Step::Deleted {
                        is_full = true;
                    }
                    let used = used_bytes(&database).unwrap();
                    let range = if is_full { limit / 4 * 3..=limit } else { 0..=limit };
                    assert!(range.contains(&used), "{used} of {limit} bytes are used");
                }
            }
            assert!(is_full);
        }
    }
}
