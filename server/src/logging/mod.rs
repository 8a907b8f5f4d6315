//! Where the log goes: `log` records, through `fern`, to a writer that never holds up an echo.
//!
//! fern decides which records pass and how they read. Behind it a *sink* puts each record, whole,
//! into a batch of the thread that logs; a batch goes to the *writer*, a thread of its own and the
//! only one that makes system calls for the log.
//!
//! ```text
//! log::info! ──> fern (level, format) ──> sink (batch per thread) ──> queue (bounded) ──> writer ──> file
//! ```
//!
//! A program that embeds the server and has a logger of its own needs nothing of this.

mod format;
mod queue;
mod sink;
mod writer;

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use common::reason::reason;
use log::LevelFilter;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use thiserror::Error;

pub use self::sink::{defer, flush};
use self::{queue::LogQueue, sink::Sink, writer::Writer};

/// How a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `2024-01-15 10:30:45 - INFO - text`
    #[default]
    Text,
    /// One JSON object a line: `time`, `level`, `message`, and the record's own fields.
    Json,
}

/// What to do when records come faster than they can be written and there is no more room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Overflow {
    /// Wait for a sink that is merely slow; drop (and count) for one that takes nothing at all.
    #[default]
    Block,
    /// Drop and count; never wait.
    Drop,
}

/// What the log is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records below this level are not written.
    pub level: LevelFilter,
    /// See [`Format`].
    pub format: Format,
    /// See [`Overflow`].
    pub overflow: Overflow,
    /// Where to append; standard error if there is none.
    pub file: Option<PathBuf>,
}

impl Options {
    /// The names of what cannot change while a log runs.
    pub const FIXED: [&str; 3] = ["log-file", "log-format", "log-overflow"];

    /// Those of [`FIXED`](Self::FIXED) that differ.
    pub fn fixed_differences(&self, other: &Self) -> impl Iterator<Item = &'static str> + use<> {
        let differ =
            [self.file != other.file, self.format != other.format, self.overflow != other.overflow];
        Self::FIXED.into_iter().zip(differ).filter_map(|(name, differs)| differs.then_some(name))
    }
}

/// Why the log cannot be started.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be opened for appending.
    #[error("cannot write the log file {}: {}", path.display(), reason(cause))]
    File {
        /// As given.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the log writer: {}", reason(.0))]
    Thread(io::Error),
    /// The program has a logger already.
    #[error("a logger is installed already")]
    Installed(log::SetLoggerError),
}

/// A log that runs; what has been logged is written, at the latest, when this is dropped.
#[derive(Debug)]
pub struct Log {
    queue: Arc<LogQueue>,
    writer: Option<std::thread::JoinHandle<()>>,
}

/// Installs the process's logger and starts its writer.
///
/// # Errors
///
/// If the file cannot be opened, or there is a logger already. See [`LogError`].
pub fn start(options: &Options) -> Result<Log, LogError> {
    let target = match &options.file {
        Some(path) => writer::Target::File {
            file: append(path).map_err(|cause| LogError::File { path: path.clone(), cause })?,
            path: path.clone(),
        },
        None => writer::Target::Stderr,
    };
    let queue = Arc::new(LogQueue::new(options.overflow));
    let writer = Writer::new(Arc::clone(&queue), target);
    let writer = std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(|| writer.run())
        .map_err(LogError::Thread)?;
    let log = Log { queue: Arc::clone(&queue), writer: Some(writer) };
    let sink: Box<dyn log::Log> = Box::new(Sink::new(queue));
    fern::Dispatch::new()
        .level(LevelFilter::Trace)
        .format(match options.format {
            Format::Text => format::text,
            Format::Json => format::json,
        })
        .chain(sink)
        .apply()
        .map_err(LogError::Installed)?;
    set_level(options.level);
    Ok(log)
}

/// Has records below this level not be written, from now on.
pub fn set_level(level: LevelFilter) {
    // Where records are made, so that those below it cost nothing.
    log::set_max_level(level);
}

/// Makes a panic a record like any other: one line, escaped, in the log and nowhere else.
pub fn record_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("no message");
        let at = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
        let what = common::escape::Escaped(what.as_bytes());
        log::error!(event = "panic"; "Panic{at}: {what}");
    }));
}

impl Log {
    /// Opens the log file anew, for a rotation that has moved the old one away.
    pub fn reopen(&self) -> impl Fn() + Send + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.ask_to_reopen()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        flush();
        if self.queue.close()
            && let Some(writer) = self.writer.take()
        {
            // It has nothing to report: it does not panic, and its errors are counted.
            let _ = writer.join();
        }
    }
}

/// Opens a file to append to it. A pipe that nobody reads is refused, instead of waited for.
fn append(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().create(true).append(true).custom_flags(nonblocking).open(path)?;
    // Only the opening was not to wait.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}
