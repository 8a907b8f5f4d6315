//! The writer: the only thread that makes system calls for the log.
//!
//! It writes the queued records in as few calls as possible. Records that the sink refuses are dropped and
//! counted; the count is written as soon as the sink takes bytes again, or at the end to standard error. A record that
//! was cut off by an error is ended before the next one begins.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, BorrowedFd},
    path::PathBuf,
    sync::Arc,
};

use common::{cli::print_error, escape::Escaped, reason::reason};
use log::{error, warn};

use super::{
    batch,
    file::{Output, open_append},
    queue::LogQueue,
};

/// Destination of the log.
#[derive(Debug)]
pub(super) enum Target {
    Stderr,
    Stdout,
    File { file: File, path: PathBuf },
}

/// The writer and its output.
pub(super) struct Writer {
    queue: Arc<LogQueue>,
    /// `None`: the standard stream is closed.
    output: Option<Output>,
    /// The path to reopen.
    path: Option<PathBuf>,
    /// The output is standard error.
    is_stderr: bool,
}

impl Writer {
    pub(super) fn new(queue: Arc<LogQueue>, target: Target) -> Self {
        let is_stderr = matches!(target, Target::Stderr);
        let (output, path) = match target {
            Target::File { file, path } => (Some(Output::of_file(file, &path)), Some(path)),
            Target::Stderr => (own(io::stderr().as_fd()).map(Output::from), None),
            Target::Stdout => (own(io::stdout().as_fd()).map(Output::from), None),
        };
        Self { queue, output, path, is_stderr }
    }

    pub(super) fn run(mut self) {
        // This thread must not wait for itself.
        batch::defer();
        let mut lines = String::new();
        loop {
            let job = self.queue.next(&mut lines);
            if job.reopen {
                self.reopen();
            }
            // Records of this thread follow: errors of reopening, and the number of lost records.
            let own = batch::take();
            lines.push_str(&own);
            if self.write_records(&lines, job.records + count(own.as_bytes())) {
                self.log_dropped();
            }
            lines.clear();
            if job.last {
                self.report_dropped();
                return self.queue.finish();
            }
        }
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match open_append(path) {
            Ok(file) => self.output = Some(Output::of_file(file, path)),
            Err(error) => {
                let path = path.display();
                error!(
                    "Cannot reopen the log file {path}: {}; the old file stays in use",
                    reason(&error)
                );
            }
        }
    }

    /// Writes whole records, of which there are this many, and returns whether all were written. The others count as dropped.
    fn write_records(&mut self, lines: &str, records: u64) -> bool {
        let rest = self.write_between(lines.as_bytes());
        let dropped = rest.err().map_or(0, count);
        // A record of another crate may have more than one line.
        self.queue.count_written(records.saturating_sub(dropped));
        self.queue.count_dropped(dropped);
        rest.is_ok()
    }

    /// Writes bytes that begin with a record. The error is the rest that was not written.
    fn write_between<'a>(&mut self, lines: &'a [u8]) -> Result<(), &'a [u8]> {
        match &mut self.output {
            Some(output) => output.write(lines, &self.queue).map_err(|(rest, _)| rest),
            None => Err(lines),
        }
    }

    /// Logs the number of dropped records.
    fn log_dropped(&mut self) {
        let dropped = self.queue.take_dropped();
        if dropped > 0 {
            warn!(event = "log-dropped", records = dropped;
                "{dropped} log records could not be written and are lost");
            // The line itself is no record of the server: only the records that it reports are counted again.
            let line = batch::take();
            match self.write_between(line.as_bytes()) {
                Ok(()) => self.queue.count_written(count(line.as_bytes())),
                Err(_) => self.queue.return_dropped(dropped),
            }
        }
    }

    /// Writes the number of dropped records to standard error, at the end of a log that does not accept it.
    fn report_dropped(&self) {
        let dropped = self.queue.take_dropped();
        if dropped > 0 && !self.is_stderr {
            let sink = self.path.as_ref().map_or_else(
                || "standard output".to_owned(),
                |path| Escaped(path.as_os_str().as_encoded_bytes()).to_string(),
            );
            print_error(&format!(
                "Warning: {dropped} log records could not be written to {sink} and are lost"
            ));
        }
    }
}

/// Returns the number of records: each is a line.
fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Returns a descriptor of a standard stream that is independent of the library's lock on it.
fn own(stream: BorrowedFd<'_>) -> Option<File> {
    stream.try_clone_to_owned().ok().map(File::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::{options::Overflow, totals::Totals};

    #[test]
    fn a_line_about_lost_records_that_is_lost_too_is_not_counted() {
        let queue = Arc::new(LogQueue::new(Overflow::Block));
        // A file that is open for reading takes no byte.
        let file = File::open("/dev/null").unwrap();
        let target = Target::File { file, path: "/dev/null".into() };
        let mut writer = Writer::new(Arc::clone(&queue), target);
        batch::defer();
        assert!(!writer.write_records("one\ntwo\n", 2));
        // The record that `log_dropped` makes, since no logger is installed here.
        batch::add(&queue, &format_args!("2 log records could not be written and are lost"));
        writer.log_dropped();
        assert_eq!(queue.take_dropped(), 2);
        assert_eq!(queue.totals(), Totals { written: 0, dropped: 2 });
    }

    #[test]
    fn every_record_in_the_file_is_counted() {
        let queue = Arc::new(LogQueue::new(Overflow::Block));
        let file = tempfile::tempfile().unwrap();
        let target = Target::File { file, path: "/dev/null".into() };
        let mut writer = Writer::new(Arc::clone(&queue), target);
        batch::defer();
        queue.count_dropped(5);
        assert!(writer.write_records("one\ntwo\n", 2));
        // The record that `log_dropped` makes, since no logger is installed here.
        batch::add(&queue, &format_args!("5 log records could not be written and are lost"));
        writer.log_dropped();
        assert_eq!(queue.totals(), Totals { written: 3, dropped: 5 });
    }
}
