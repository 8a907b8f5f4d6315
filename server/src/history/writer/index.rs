//! The search index: trigrams of every message, in full-text tables of SQLite (FTS5).
//!
//! To add a message takes several times as long as to record it, so the index follows: fast while no messages arrive, in a
//! tenth of the time while few do, and not at all while many do. A search scans what is not indexed yet. The index only finds candidates, which the search
//! compares byte by byte; so it has no positions, and no copy of the messages.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::{
    config::{
        Keep,
        history_limits::{
            INDEX_BUSY_ROWS, INDEX_BYTES, INDEX_IDLE, INDEX_PART_BYTES, INDEX_PART_ROWS,
            INDEX_REST, INDEX_ROWS, INDEX_SMALL_PART_BYTES,
        },
    },
    history::store::index_table,
};

/// Builds the index.
#[derive(Debug)]
pub(super) struct Index {
    part_bytes: u64,
    /// The last row that is indexed, as far as it is known.
    indexed: i64,
    /// The time from which the next step may begin.
    due: Instant,
    last_message: Instant,
}

/// The part of the index that grows.
struct Part {
    id: i64,
    bytes: i64,
}

/// Returns the text by which a message is indexed. What is not text has no trigrams.
fn index_text(body: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(body);
    // FTS5 takes a NUL for the end.
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text }
}

impl Index {
    pub(super) fn new(connection: &Connection, keep: Keep) -> rusqlite::Result<Self> {
        let now = Instant::now();
        let part_bytes = keep.bytes.map_or(INDEX_PART_BYTES, |bytes| {
            INDEX_PART_BYTES.min((bytes / 32).max(INDEX_SMALL_PART_BYTES))
        });
        let last = "SELECT coalesce(max(last_record), 0) FROM indexes";
        let indexed = connection.query_row(last, [], |row| row.get(0))?;
        Ok(Self { part_bytes, indexed, due: now, last_message: now })
    }

    /// Records that a job with this many messages has arrived.
    pub(super) fn record_messages(&mut self, rows: u64) {
        let now = Instant::now();
        self.last_message = now;
        if rows >= INDEX_BUSY_ROWS {
            // The index would not keep up, and take time from those who serve.
            self.due = self.due.max(now + INDEX_IDLE);
        }
    }

    /// Returns how long the next step is to wait, if there is one: `last` is the last row.
    pub(super) fn wait(&self, last: i64) -> Option<Duration> {
        (self.indexed < last).then(|| {
            let now = Instant::now();
            let idle = INDEX_IDLE.saturating_sub(now.duration_since(self.last_message));
            self.due.saturating_duration_since(now).min(idle)
        })
    }

    /// Takes a step, if it is due.
    pub(super) fn run(&mut self, connection: &mut Connection, last: i64) -> rusqlite::Result<()> {
        if self.wait(last) != Some(Duration::ZERO) {
            return Ok(());
        }
        let begin = Instant::now();
        let stepped = self.add(connection, last, INDEX_ROWS);
        let now = Instant::now();
        self.due = now + (now - begin) * INDEX_REST;
        stepped
    }

    /// Adds the next rows to the index, at most `max`, and no more than the part has space for, or one.
    fn add(&mut self, connection: &mut Connection, last: i64, max: i64) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Part { id, mut bytes } = self.part(&transaction)?;
        let mut indexed = self.indexed;
        {
            let mut select = transaction.prepare_cached(
                "SELECT id, body FROM records WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let insert = format!("INSERT INTO {} (rowid, body) VALUES (?1, ?2)", index_table(id));
            let mut insert = transaction.prepare_cached(&insert)?;
            let mut rows = select.query([self.indexed, max])?;
            let (mut count, mut step_bytes) = (0, 0);
            let space = self.part_bytes.saturating_sub(bytes.cast_unsigned());
            let max_bytes = INDEX_BYTES.min(usize::try_from(space).unwrap_or(usize::MAX)).max(1);
            while step_bytes < max_bytes
                && let Some(row) = rows.next()?
            {
                let body = row.get_ref(1)?.as_blob().unwrap_or_default();
                indexed = row.get(0)?;
                insert.execute(params![indexed, index_text(body)])?;
                step_bytes += body.len();
                count += 1;
            }
            if count == 0 {
                // The rows were deleted before they were indexed.
                indexed = last;
            }
            bytes += i64::try_from(step_bytes).unwrap_or(i64::MAX);
        }
        let update = "UPDATE indexes SET last_record = ?2, bytes = ?3 WHERE id = ?1";
        transaction.execute(update, [id, indexed, bytes])?;
        transaction.commit()?;
        self.indexed = indexed;
        Ok(())
    }

    /// Takes a step, due or not. Returns whether all rows up to `last` are indexed.
    #[cfg(test)]
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        last: i64,
    ) -> rusqlite::Result<bool> {
        self.add(connection, last, INDEX_ROWS)?;
        Ok(self.indexed >= last)
    }

    /// Returns the part that grows, or begins another.
    fn part(&self, connection: &Connection) -> rusqlite::Result<Part> {
        let select = "SELECT id, bytes, last_record - first_record FROM indexes ORDER BY id DESC";
        let last = connection.query_row(select, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let last = last.optional()?;
        if let Some((id, bytes, rows)) = last
            && bytes.cast_unsigned() < self.part_bytes
            && rows < INDEX_PART_ROWS
        {
            return Ok(Part { id, bytes });
        }
        let id = last.map_or(1, |(id, ..)| id + 1);
        connection
            .execute("INSERT INTO indexes VALUES (?1, ?2, ?2 - 1, 0)", [id, self.indexed + 1])?;
        connection.execute_batch(&format!(
            "CREATE VIRTUAL TABLE {} USING fts5 \
             (body, content = '', columnsize = 0, detail = none, tokenize = 'trigram')",
            index_table(id)
        ))?;
        Ok(Part { id, bytes: 0 })
    }
}

/// Adds the first `rows` of a database without an index to the index, in parts of three rows.
#[cfg(test)]
pub(crate) fn index_first(connection: &mut Connection, rows: usize) {
    let rows = i64::try_from(rows).unwrap();
    let mut index = Index::new(connection, Keep::default()).unwrap();
    while index.indexed < rows {
        index.part_bytes = 0;
        index.add(connection, rows, (rows - index.indexed).min(3)).unwrap();
    }
}
