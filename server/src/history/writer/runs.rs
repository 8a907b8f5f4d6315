//! The runs of servers that have recorded in a database, and what each has lost.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::history::{batch::unix_micros, run_file::LastRun};

/// How the last run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastEnd {
    /// By itself, or there was none.
    Regular,
    /// The server was killed, and has lost this many messages.
    Killed { lost: u64 },
    /// The server was killed, and its counters are gone.
    Unknown,
}

/// The run of this server, and its counts.
#[derive(Debug)]
pub(crate) struct Runs {
    id: i64,
    /// Messages that are in the database.
    pub(super) committed: u64,
    /// Messages that will never be in it.
    pub(super) dropped: u64,
}

impl Runs {
    /// Ends the last run, if the server was killed. Returns how it has ended.
    pub(crate) fn end_last(
        connection: &mut Connection,
        file: Option<LastRun>,
    ) -> rusqlite::Result<LastEnd> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open = transaction
            .query_row(
                "SELECT id, committed, dropped FROM runs WHERE end IS NULL ORDER BY id DESC",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
            )
            .optional()?;
        let Some((id, committed, dropped)) = open else { return Ok(LastEnd::Regular) };
        let file = file.filter(|file| file.id == id.cast_unsigned());
        let received = file.map(|file| file.received.cast_signed());
        let lost = received.map(|received| (received - committed - dropped).max(0));
        let end: Option<i64> = transaction.query_row(
            "SELECT coalesce(max(time), (SELECT start FROM runs WHERE id = ?1)) FROM records
             WHERE id = (SELECT max(id) FROM records)",
            [id],
            |row| row.get(0),
        )?;
        transaction.execute(
            "UPDATE runs SET end = ?2, received = ?3, lost = ?4 WHERE id = ?1",
            params![id, end, received, lost],
        )?;
        transaction.execute("UPDATE runs SET end = start WHERE end IS NULL", [])?;
        transaction.commit()?;
        Ok(lost.map_or(LastEnd::Unknown, |lost| LastEnd::Killed { lost: lost.cast_unsigned() }))
    }

    pub(crate) fn next_id(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM runs", [], |row| row.get(0))
    }

    pub(crate) fn begin(connection: &Connection, id: i64) -> rusqlite::Result<Self> {
        connection.execute(
            "INSERT INTO runs (id, start, version) VALUES (?1, ?2, ?3)",
            params![id, unix_micros(), env!("CARGO_PKG_VERSION")],
        )?;
        Ok(Self { id, committed: 0, dropped: 0 })
    }

    /// Writes the counts, with `more` messages that the transaction commits.
    pub(super) fn update(&self, connection: &Connection, more: u64) -> rusqlite::Result<()> {
        let committed = (self.committed + more).cast_signed();
        connection
            .prepare_cached("UPDATE runs SET committed = ?2, dropped = ?3 WHERE id = ?1")?
            .execute(params![self.id, committed, self.dropped.cast_signed()])
            .map(drop)
    }

    /// Writes the end of the run.
    pub(super) fn end(&mut self, connection: &Connection, received: u64) -> rusqlite::Result<()> {
        // What a thread that failed has received never came here.
        self.dropped = self.dropped.max(received.saturating_sub(self.committed));
        connection
            .execute(
                "UPDATE runs SET end = ?2, received = ?3, committed = ?4, dropped = ?5, lost = 0 WHERE id = ?1",
                params![
                    self.id,
                    unix_micros(),
                    received.cast_signed(),
                    self.committed.cast_signed(),
                    self.dropped.cast_signed(),
                ],
            )
            .map(drop)
    }
}
