//! The fault log of one server: its start and its end.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use common::reason::reason;
use log::{error, info};
use thiserror::Error;

use super::writer::{Writer, shown};
use crate::logging::{LogQueue, Overflow, open_append};

/// Reason why the fault log cannot be written.
#[derive(Debug, Error)]
pub enum FaultLogError {
    /// The file cannot be opened for appending.
    #[error("cannot write the fault log {}: {}", shown(path), reason(cause))]
    File {
        /// The path as configured.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The system refuses the thread of the writer.
    #[error("cannot start the writer of the fault log: {}", reason(.0))]
    Thread(io::Error),
}

/// The part of a fault log that other threads use.
#[derive(Clone, Debug)]
pub(crate) struct FaultLog {
    path: Arc<Path>,
    queue: Arc<LogQueue>,
}

/// The running writer. Dropping it writes everything that was handed over.
#[derive(Debug)]
pub(crate) struct FaultLogWriter {
    log: FaultLog,
    thread: Option<thread::JoinHandle<()>>,
}

impl FaultLog {
    /// Creates a fault log without opening its file.
    pub(crate) fn new(path: PathBuf) -> Self {
        // A proof needs all records, so a thread waits while the file is slow.
        Self { path: path.into(), queue: Arc::new(LogQueue::new(Overflow::Block)) }
    }

    /// Opens the file, to append to it, and starts the writer.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or the system refuses a thread.
    pub(crate) fn start(&self) -> Result<FaultLogWriter, FaultLogError> {
        let file = open_append(&self.path)
            .map_err(|cause| FaultLogError::File { path: self.path.to_path_buf(), cause })?;
        let writer = Writer::new(self.queue(), file, Arc::clone(&self.path));
        let thread = thread::Builder::new()
            .name("fault-writer".into())
            .spawn(|| writer.run())
            .map_err(FaultLogError::Thread)?;
        info!(event = "fault-log-started"; "Recording injected faults in {}", self.shown());
        Ok(FaultLogWriter { log: self.clone(), thread: Some(thread) })
    }

    /// Returns the queue of the records.
    pub(super) fn queue(&self) -> Arc<LogQueue> {
        Arc::clone(&self.queue)
    }

    /// Returns the path as the log shows it.
    pub(super) fn shown(&self) -> String {
        shown(&self.path)
    }

    /// Reopens the file, for a rotation that has renamed the old one.
    pub(crate) fn reopen(&self) {
        self.queue.request_reopen();
    }
}

impl Drop for FaultLogWriter {
    fn drop(&mut self) {
        let (path, queue) = (self.log.shown(), self.log.queue());
        if !queue.close() {
            let lost = queue.unwritten();
            return error!(event = "fault-log", records = lost;
                "Up to {lost} records of injected faults are missing in the fault log {path}: it takes nothing; if it is a FIFO, \
                 check its reader");
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // The panic is in the log.
            error!(event = "fault-log";
                "The fault log {path} has lost its last records: a bug ended its writer");
        }
    }
}
