//! The writer: its loop, and what it does while the database refuses to be written.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use log::{info, warn};
use rusqlite::{Connection, ffi::ErrorCode};

use super::{
    checkpoint::{Checkpoints, make_room},
    deletion::{Deletion, Step},
    index::Index,
    records::{Pending, Records},
    runs::Runs,
};
use crate::{
    config::{
        HistoryOptions, Keep,
        history_limits::{COMMIT_ROWS, MAINTENANCE_REST, MIN_COMMIT_ROWS, RETRY},
        limits::LOG_THROTTLE,
    },
    history::{
        queue::{Job, Queue},
        run_file::RunFile,
        store::{shown, words},
    },
};

/// Attempts to commit the last messages of a server that ends.
const LAST_ATTEMPTS: u32 = 5;

/// The writer and its database.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    keep: Keep,
    queue: Arc<Queue>,
    run_file: Arc<RunFile>,
    connection: Connection,
    runs: Runs,
    /// `None`: a transaction has failed, so they must be loaded again.
    tables: Option<Tables>,
    checkpoints: Checkpoints,
    /// Rows of one transaction: fewer while the disk is nearly full.
    max_rows: u64,
    /// The database refuses to be written.
    is_failing: bool,
    /// Maintenance has failed, and is tried again at this time.
    resting_until: Option<Instant>,
    /// Number of dropped messages at the last line in the log about them, and its time.
    logged_dropped: (u64, Option<Instant>),
}

/// What the writer knows of the tables.
#[derive(Debug)]
struct Tables {
    records: Records,
    index: Index,
    deletion: Deletion,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        runs: Runs,
        options: &HistoryOptions,
        queue: Arc<Queue>,
        run_file: Arc<RunFile>,
    ) -> Self {
        let HistoryOptions { path, keep, .. } = options.clone();
        Self {
            checkpoints: Checkpoints::new(&path, keep),
            path,
            keep,
            queue,
            run_file,
            connection,
            runs,
            tables: None,
            max_rows: COMMIT_ROWS,
            is_failing: false,
            resting_until: None,
            logged_dropped: (0, None),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut messages = Vec::new();
        loop {
            let job = self.queue.next(&mut messages, self.wait());
            if job.rows > 0 {
                self.record(&messages, job);
            }
            messages.clear();
            self.count_dropped();
            if job.is_last {
                self.finish();
                return;
            }
            self.maintain_if_due();
        }
    }

    /// Returns how long the writer may sleep if no messages come. `None`: until some come.
    fn wait(&self) -> Option<Duration> {
        let Some(tables) = &self.tables else { return Some(RETRY) };
        if let Some(until) = self.resting_until {
            return Some(until.saturating_duration_since(Instant::now()));
        }
        let waits = [tables.index.wait(tables.records.last()), tables.deletion.wait()];
        waits.into_iter().flatten().min()
    }

    /// Commits the messages of a job. While the database refuses them they wait here, and others in the queue.
    fn record(&mut self, messages: &[u8], job: Job) {
        let mut pending = Pending::new(messages);
        let mut left = job.rows;
        let mut last_attempts = 0;
        while left > 0 {
            self.queue.record_progress();
            match self.commit(&mut pending) {
                Ok(rows) => {
                    left -= rows;
                    self.queue.count_recorded(rows);
                    self.max_rows = (2 * self.max_rows).min(COMMIT_ROWS);
                    self.resume();
                }
                Err(error) => {
                    self.fail(&error);
                    let is_closing = self.queue.wait_to_retry(RETRY);
                    last_attempts += u32::from(is_closing);
                    if last_attempts > LAST_ATTEMPTS {
                        self.runs.dropped += left;
                        self.queue.count_dropped(left);
                        return;
                    }
                    if is_closing {
                        std::thread::sleep(RETRY);
                    }
                }
            }
        }
    }

    fn commit(&mut self, pending: &mut Pending<'_>) -> rusqlite::Result<u64> {
        self.load()?;
        let Some(tables) = &mut self.tables else { return Ok(0) };
        let committed =
            tables.records.commit(&mut self.connection, pending, &mut self.runs, self.max_rows);
        match committed {
            Ok(rows) => tables.index.record_messages(rows),
            Err(_) => self.tables = None,
        }
        committed
    }

    fn load(&mut self) -> rusqlite::Result<()> {
        if self.tables.is_none() {
            self.tables = Some(Tables {
                records: Records::load(&self.connection, self.keep)?,
                index: Index::new(&self.connection, self.keep)?,
                deletion: Deletion::new(self.keep),
            });
        }
        Ok(())
    }

    /// Does what need not be done with every commit, unless it has failed a moment ago. Messages are recorded without it.
    fn maintain_if_due(&mut self) {
        if self.resting_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let maintained = self.maintain();
        let was_resting = self.resting_until.take().is_some();
        if let Err(error) = maintained {
            self.resting_until = Some(Instant::now() + MAINTENANCE_REST);
            if !was_resting {
                warn!(event = "history-failed"; "Cannot index or delete messages in {}: {}; it is tried again",
                    shown(&self.path), words(&error));
            }
        }
    }

    /// Does what need not be done with every commit.
    fn maintain(&mut self) -> rusqlite::Result<()> {
        self.load()?;
        self.checkpoints.run(&self.connection);
        let Some(tables) = &mut self.tables else { return Ok(()) };
        let maintained = tables.maintain(&mut self.connection);
        if maintained.is_err() {
            self.tables = None;
        }
        maintained
    }

    /// Records that the database refuses to be written.
    fn fail(&mut self, error: &rusqlite::Error) {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            make_room(&self.connection);
            self.max_rows = (self.max_rows / 8).max(MIN_COMMIT_ROWS);
        }
        if !std::mem::replace(&mut self.is_failing, true) {
            let path = shown(&self.path);
            let reason = words(error);
            warn!(event = "history-failed";
                "Cannot record messages in {path}: {reason}. Messages wait in the queue; what finds no room is dropped \
                 and counted");
        }
    }

    /// Records that the database takes messages.
    fn resume(&mut self) {
        if std::mem::replace(&mut self.is_failing, false) {
            self.runs.dropped += self.queue.take_dropped();
            let dropped = self.runs.dropped - self.logged_dropped.0;
            self.logged_dropped = (self.runs.dropped, Some(Instant::now()));
            info!(event = "history-resumed", dropped;
                "Recording messages in {} again; {dropped} were dropped meanwhile", shown(&self.path));
        }
    }

    /// Counts the messages that found no room in the queue, and logs their number now and then.
    fn count_dropped(&mut self) {
        self.runs.dropped += self.queue.take_dropped();
        let (logged, at) = self.logged_dropped;
        let is_due = at.is_none_or(|at| at.elapsed() >= LOG_THROTTLE);
        if self.runs.dropped > logged && is_due && !self.is_failing {
            let dropped = self.runs.dropped - logged;
            self.logged_dropped = (self.runs.dropped, Some(Instant::now()));
            warn!(event = "history-dropped", dropped;
                "Dropped {dropped} messages that are not in the history {}: they arrive faster than it takes them",
                shown(&self.path));
        }
    }

    /// Ends the run and closes the database.
    fn finish(mut self) {
        let ended = self.runs.end(&self.connection, self.run_file.received());
        let (committed, dropped) = (self.runs.committed, self.runs.dropped);
        let path = shown(&self.path);
        if dropped > 0 {
            warn!(event = "history-ended", committed, dropped;
                "Recorded {committed} messages in {path}; {dropped} were dropped");
        } else {
            info!(event = "history-ended", committed, dropped;
                "Recorded {committed} messages in {path}; none was dropped");
        }
        if let Err(error) = ended {
            warn!(event = "history-failed"; "Cannot record the end of the run in {path}: {}", words(&error));
        }
        // The last connection moves its journal into the database and removes it.
        drop(self.connection);
        self.queue.finish();
    }
}

impl Tables {
    fn maintain(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        if self.deletion.run(connection)? == Step::Deleted {
            // Its rows of the dimension tables may be among those that were deleted.
            self.records.end_segment();
        }
        self.index.run(connection, self.records.last())
    }
}
