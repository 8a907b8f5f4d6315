//! The fault log of one server: its start and its end.

use std::{io, path::PathBuf, sync::Arc, thread};

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
#[derive(Debug)]
pub(crate) struct FaultLog {
    path: PathBuf,
    queue: Arc<LogQueue>,
}

/// The running writer. Dropping it writes everything that was handed over.
#[derive(Debug)]
pub(crate) struct FaultLogWriter {
    path: PathBuf,
    queue: Arc<LogQueue>,
    thread: Option<thread::JoinHandle<()>>,
}

impl FaultLog {
    /// Creates a fault log without opening its file.
    pub(crate) fn new(path: PathBuf) -> Self {
        // A proof needs all records, so a thread waits while the file is slow.
        Self { path, queue: Arc::new(LogQueue::new(Overflow::Block)) }
    }

    /// Opens the file, to append to it, and starts the writer.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or the system refuses a thread.
    pub(crate) fn start(&self) -> Result<FaultLogWriter, FaultLogError> {
        let (path, queue) = (self.path.clone(), Arc::clone(&self.queue));
        let file = open_append(&path)
            .map_err(|cause| FaultLogError::File { path: path.clone(), cause })?;
        let writer = Writer::new(Arc::clone(&queue), file, path.clone());
        let thread = thread::Builder::new()
            .name("fault-writer".into())
            .spawn(|| writer.run())
            .map_err(FaultLogError::Thread)?;
        info!(event = "fault-log-started"; "Recording injected faults in {}", shown(&path));
        Ok(FaultLogWriter { path, queue, thread: Some(thread) })
    }

    /// Returns the queue to which a thread attaches itself.
    pub(crate) fn queue(&self) -> Arc<LogQueue> {
        Arc::clone(&self.queue)
    }

    /// Reopens the file, for a rotation that has renamed the old one.
    pub(crate) fn reopen(&self) {
        self.queue.request_reopen();
    }
}

impl Drop for FaultLogWriter {
    fn drop(&mut self) {
        let path = shown(&self.path);
        if !self.queue.close() {
            return error!(event = "fault-log";
                "The fault log {path} has lost its last records: the file takes nothing");
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
