//! Starts the log of the process and ends it.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
    thread,
};

use common::{escape::Escaped, reason::reason};
use log::LevelFilter;
use thiserror::Error;

use super::{
    batch,
    file::open_append,
    format,
    options::{Destination, Format, Options},
    queue::LogQueue,
    sink::Sink,
    totals::Totals,
    writer::{Target, Writer},
};

/// Reason why the log cannot be started.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be opened for appending.
    #[error("cannot write the log file {}: {}", path.display(), reason(cause))]
    File {
        /// The path as configured.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The system refuses the thread of the writer.
    #[error("cannot start the log writer: {}", reason(.0))]
    Thread(io::Error),
    /// The program has installed another logger.
    #[error("a logger is already installed")]
    Installed(log::SetLoggerError),
}

/// The queue of the log of this process. There is one, as there is one logger.
static QUEUE: OnceLock<Arc<LogQueue>> = OnceLock::new();

/// The running log. Dropping it writes the records that are still queued.
#[derive(Debug)]
pub struct Log {
    queue: Arc<LogQueue>,
    writer: Option<thread::JoinHandle<()>>,
}

/// Installs the logger of the process and starts its writer.
///
/// # Errors
///
/// If the file cannot be opened, or there is a logger already. See [`LogError`].
pub fn start(options: &Options) -> Result<Log, LogError> {
    let target = match &options.destination {
        Destination::File(path) => Target::File {
            file: open_append(path)
                .map_err(|cause| LogError::File { path: path.clone(), cause })?,
            path: path.clone(),
        },
        Destination::Stderr => Target::Stderr,
        Destination::Stdout => Target::Stdout,
    };
    let queue = Arc::new(LogQueue::new(options.overflow));
    let writer = Writer::new(Arc::clone(&queue), target);
    let writer = thread::Builder::new()
        .name("log-writer".into())
        .spawn(|| writer.run())
        .map_err(LogError::Thread)?;
    let log = Log { queue: Arc::clone(&queue), writer: Some(writer) };
    let sink: Box<dyn log::Log> = Box::new(Sink::new(Arc::clone(&queue)));
    fern::Dispatch::new()
        .level(LevelFilter::Trace)
        .format(match options.format {
            Format::Text => format::text,
            Format::Json => format::json,
        })
        .chain(sink)
        .apply()
        .map_err(LogError::Installed)?;
    QUEUE.get_or_init(|| queue);
    set_level(options.level);
    Ok(log)
}

/// Returns how many records the log of this process has written and dropped. Records that a thread is yet to hand over count
/// later, within 100 ms. Without a log that was started by this crate, there are none.
#[must_use]
pub fn totals() -> Totals {
    QUEUE.get().map_or_else(Totals::default, |queue| queue.totals())
}

/// Sets the lowest level that is written.
pub fn set_level(level: LevelFilter) {
    // The level of the `log` crate, so that records below it cost nothing.
    log::set_max_level(level);
}

/// Logs a panic as a record: one escaped line, instead of the report on standard error.
pub fn record_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let at = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
        let message = Escaped(message.as_bytes());
        log::error!(event = "panic"; "Panic{at}: {message}");
    }));
}

impl Log {
    /// Returns a function that reopens the log file, for a rotation that has renamed the old one.
    pub fn reopen(&self) -> impl Fn() + Send + use<> {
        let queue = Arc::clone(&self.queue);
        move || queue.request_reopen()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        batch::flush();
        if self.queue.close()
            && let Some(writer) = self.writer.take()
        {
            // The writer does not panic, and counts its errors.
            let _ = writer.join();
        }
    }
}
