//! The history of one server: its start and its end.

use std::{path::Path, sync::Arc, thread};

use log::{info, warn};

#[cfg(feature = "rooms")]
use super::search::{RecordedRoom, recorded_rooms};
use super::{
    batch::ThreadRecorder,
    queue::Queue,
    run_file::RunFile,
    stats::HistoryStats,
    store::{Cause, HistoryError, open_writer, shown},
    writer::{LastEnd, Runs, Writer},
};
use crate::config::HistoryOptions;

/// A history that is being recorded. Threads that serve attach themselves to it.
#[derive(Debug)]
pub(crate) struct History {
    options: HistoryOptions,
    queue: Arc<Queue>,
    run_file: Arc<RunFile>,
    writer: thread::JoinHandle<()>,
}

/// Reads the numbers of a history, also after its end.
#[derive(Debug)]
pub(crate) struct StatsReader(Arc<Queue>);

impl StatsReader {
    /// Returns the numbers of this moment. Messages that a thread is yet to hand over count later, after its iteration.
    pub(crate) fn stats(&self) -> HistoryStats {
        self.0.stats()
    }
}

impl History {
    /// Opens the database and starts its writer, for this many threads that record.
    ///
    /// # Errors
    ///
    /// If the database is not ours, another server records in it, or it cannot be written.
    pub(crate) fn start(options: HistoryOptions, threads: usize) -> Result<Self, HistoryError> {
        let failed = |cause: Cause| cause.at(&options.path);
        let file_failed =
            |file: &RunFile, error| Cause::RunFile(file.path().to_owned(), error).at(&options.path);
        let run_file = RunFile::lock(&options.path)
            .map_err(|(path, error)| failed(Cause::RunFile(path, error)))?;
        let mut run_file = run_file.ok_or_else(|| failed(Cause::InUse))?;
        let mut connection = open_writer(&options.path)?;
        let last = run_file.last_run().map_err(|error| file_failed(&run_file, error))?;
        let ended = Runs::end_last(&mut connection, last).map_err(|error| failed(error.into()))?;
        log_last(&options.path, ended);
        let id = Runs::next_id(&connection).map_err(|error| failed(error.into()))?;
        let begun = run_file.begin(id.cast_unsigned(), threads);
        begun.map_err(|error| file_failed(&run_file, error))?;
        let run = Runs::begin(&connection, id).map_err(|error| failed(error.into()))?;
        let (queue, run_file) = (Arc::new(Queue::new(options.overflow)), Arc::new(run_file));
        let writer =
            Writer::new(connection, run, &options, Arc::clone(&queue), Arc::clone(&run_file));
        let writer = thread::Builder::new()
            .name("history-writer".into())
            .spawn(|| writer.run())
            .map_err(|error| failed(Cause::Thread(error)))?;
        info!(event = "history-started"; "Recording messages in {}", shown(&options.path));
        Ok(Self { options, queue, run_file, writer })
    }

    /// Returns what a thread needs to record. There is one for each of the threads.
    pub(crate) fn recorder(&self) -> ThreadRecorder {
        ThreadRecorder { queue: Arc::clone(&self.queue), counter: self.run_file.counter() }
    }

    /// Returns what other threads need to read the numbers of the history.
    pub(crate) fn stats_reader(&self) -> StatsReader {
        StatsReader(Arc::clone(&self.queue))
    }

    /// Returns the last number and the last messages of each room, at most `per_room`, for rooms that continue after a restart.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    #[cfg(feature = "rooms")]
    pub(crate) fn recorded_rooms(
        &self,
        per_room: usize,
    ) -> Result<Vec<RecordedRoom>, HistoryError> {
        recorded_rooms(&self.options.path, per_room)
    }

    /// Returns whether the database refuses to be written.
    #[cfg(test)]
    pub(crate) fn is_failing(&self) -> bool {
        self.queue.is_failing()
    }

    /// Commits everything that was handed over, and ends the writer.
    pub(crate) fn close(self) {
        self.queue.close();
        if self.writer.join().is_err() {
            // The panic is in the log.
            warn!(event = "history-ended"; "The history {} has lost its last messages: a bug ended its writer",
                shown(&self.options.path));
        }
    }
}

/// Logs what the last run has lost, if it did not end by itself.
fn log_last(path: &Path, end: LastEnd) {
    let path = shown(path);
    match end {
        LastEnd::Regular | LastEnd::Killed { lost: 0 } => {}
        LastEnd::Killed { lost } => warn!(event = "history-lost", messages = lost;
            "The last run of the server did not end by itself: {lost} messages that it had received are not in {path}"),
        LastEnd::Unknown => warn!(event = "history-lost";
            "The last run of the server did not end by itself, and its counters are gone: the messages of its last 100 ms \
             may be missing in {path}"),
    }
}
