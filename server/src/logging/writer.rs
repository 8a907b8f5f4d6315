//! The writer: the only thread that makes system calls for the log.
//!
//! It writes what has gathered in as few calls as the sink allows. What a sink refuses is dropped
//! and counted, and the count is the first thing that is written when the sink takes something
//! again. A record that was cut off by a refusal is ended before the next one begins.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    path::PathBuf,
    sync::Arc,
};

use common::reason::reason;
use log::{error, warn};
use rustix::event::{PollFd, PollFlags, poll};

use super::{append, queue::LogQueue, sink};
use crate::config::limits;

/// Where the log goes.
#[derive(Debug)]
pub(super) enum Target {
    Stderr,
    File { file: File, path: PathBuf },
}

/// The writer and its sink.
pub(super) struct Writer {
    queue: Arc<LogQueue>,
    /// `None`: there is nothing to write to, not even a standard error.
    sink: Option<Sink>,
    /// Where to open it anew.
    path: Option<PathBuf>,
    /// The last byte that the sink took ended a record, or it has not taken any.
    between_records: bool,
}

/// Something that takes bytes.
struct Sink {
    file: File,
    /// How many bytes to offer it at once.
    chunk: usize,
}

impl From<File> for Sink {
    fn from(file: File) -> Self {
        // A file takes all at once. What has a reader takes what the reader leaves room for, and a
        // bigger write would not return while a slow one is reading: it would look like a dead one.
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Self { file, chunk: if is_file { usize::MAX } else { limits::LOG_CHUNK } }
    }
}

impl Writer {
    pub(super) fn new(queue: Arc<LogQueue>, target: Target) -> Self {
        let (file, path) = match target {
            Target::File { file, path } => (Some(file), Some(path)),
            Target::Stderr => {
                (io::stderr().as_fd().try_clone_to_owned().ok().map(File::from), None)
            }
        };
        Self { queue, sink: file.map(Sink::from), path, between_records: true }
    }

    pub(super) fn run(mut self) {
        // This thread's own records must not wait for it.
        sink::defer();
        let mut lines = String::new();
        loop {
            let job = self.queue.next(&mut lines);
            if job.reopen {
                self.reopen();
            }
            // Our own lines come behind: those of a reopening, and how many records were lost.
            lines.push_str(&sink::take());
            if self.write_records(&lines) {
                self.tell_dropped();
            }
            lines.clear();
            if job.last {
                return self.queue.finish();
            }
        }
    }

    fn reopen(&mut self) {
        let Some(path) = &self.path else { return };
        match append(path) {
            Ok(file) => self.sink = Some(file.into()),
            Err(error) => {
                let path = path.display();
                error!(
                    "Cannot reopen the log file {path}: {}; writing to the old one",
                    reason(&error)
                );
            }
        }
    }

    /// Writes whole records; says whether the sink took them all. The rest counts as dropped.
    fn write_records(&mut self, lines: &str) -> bool {
        let mut rest = lines.as_bytes();
        let separator: &[u8] = if self.between_records { b"" } else { b"\n" };
        let written =
            self.write_all(&mut &*separator).and_then(|()| self.write_all(&mut rest)).is_ok();
        if !written {
            self.drop_records(rest);
        }
        written
    }

    /// Now that the sink takes something: says how many records it did not take before.
    fn tell_dropped(&mut self) {
        let dropped = self.queue.take_dropped();
        if dropped > 0 {
            warn!(event = "log-dropped", records = dropped;
                "{dropped} log records could not be written and are lost");
            if !self.write_records(&sink::take()) {
                self.queue.count_dropped(dropped);
            }
        }
    }

    fn drop_records(&self, lines: &[u8]) {
        self.queue.count_dropped(memchr::memchr_iter(b'\n', lines).count() as u64);
    }

    /// Moves `bytes` past what the sink took.
    fn write_all(&mut self, bytes: &mut &[u8]) -> io::Result<()> {
        let Some(Sink { file, chunk }) = &mut self.sink else {
            return Err(io::ErrorKind::NotFound.into());
        };
        while !bytes.is_empty() {
            match file.write(&bytes[..bytes.len().min(*chunk)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.between_records = bytes[taken - 1] == b'\n';
                    *bytes = &bytes[taken..];
                    self.queue.moved();
                }
                // Somebody who shares our standard error has made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&*file, PollFlags::OUT)], None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
