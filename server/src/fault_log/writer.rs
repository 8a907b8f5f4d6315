//! The writer of the fault log: the only thread that writes the file.
//!
//! Records that the file refuses are lost and counted; the log of the program has the first failure, and the number of lost
//! records when the file takes bytes again, or at the end.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
};

use common::{escape::Escaped, reason::reason};
use log::error;

use crate::logging::{LogQueue, Output, open_append};

/// The writer and its file.
pub(super) struct Writer {
    queue: Arc<LogQueue>,
    output: Output,
    path: Arc<Path>,
    /// The file refused the last records.
    is_failing: bool,
}

impl Writer {
    pub(super) fn new(queue: Arc<LogQueue>, file: File, path: Arc<Path>) -> Self {
        let output = Output::of_file(file, &path);
        Self { queue, output, path, is_failing: false }
    }

    pub(super) fn run(mut self) {
        let mut lines = String::new();
        loop {
            let job = self.queue.next(&mut lines);
            if job.reopen {
                self.reopen();
            }
            if !lines.is_empty() {
                self.write(&lines);
            }
            lines.clear();
            if job.last {
                self.report_lost();
                return self.queue.finish();
            }
        }
    }

    fn reopen(&mut self) {
        match open_append(&self.path) {
            Ok(file) => self.output = Output::of_file(file, &self.path),
            Err(error) => error!(event = "fault-log";
                "Cannot reopen the fault log {}: {}; the old file stays in use", shown(&self.path), reason(&error)),
        }
    }

    /// Writes whole records, a line each.
    fn write(&mut self, lines: &str) {
        let Err((rest, error)) = self.output.write(lines.as_bytes(), &self.queue) else {
            self.report_lost();
            self.is_failing = false;
            return;
        };
        self.queue.count_dropped(memchr::memchr_iter(b'\n', rest).count() as u64);
        if !self.is_failing {
            self.is_failing = true;
            error!(event = "fault-log"; "Cannot write the fault log {}: {}; its records are lost until it can be \
                written{}", shown(&self.path), reason(&error), advice(&error));
        }
    }

    /// Logs how many records are lost, if any are.
    fn report_lost(&self) {
        let lost = self.queue.take_dropped();
        if lost > 0 {
            error!(event = "fault-log", records = lost;
                "{lost} records of injected faults are missing in the fault log {}", shown(&self.path));
        }
    }
}

/// Returns what to do about an error of a write, as the end of a sentence.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free space on its file system",
        ErrorKind::BrokenPipe => ": it is a FIFO, and its reader has ended; start a reader again",
        _ => "",
    }
}

/// Returns a path as the log shows it.
pub(super) fn shown(path: &Path) -> String {
    Escaped(path.as_os_str().as_encoded_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{BufRead as _, BufReader},
        os::fd::OwnedFd,
        thread,
    };

    use common::fault::{Fault, FaultAct, FaultId, FaultRecord};

    use super::*;
    use crate::fault_log::{FaultLog, attach, detach, record};

    fn record_one(offset: u64) {
        let id = FaultId { seed: 7, connection: 3 };
        record("tcp://127.0.0.1:7", "127.0.0.1:5000", id, &FaultAct::sent(Fault::Split, offset));
    }

    fn offsets(text: &str) -> Vec<u64> {
        let record = |line| serde_json::from_str::<FaultRecord>(line).unwrap().act.offset;
        text.lines().map(record).collect()
    }

    #[test]
    fn each_fault_is_a_line_and_all_are_written_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults.jsonl");
        // The rest of a record that a full disk has cut off.
        fs::write(&path, "{\"time").unwrap();
        let log = FaultLog::new(path.clone());
        let writer = log.start().unwrap();
        attach(&log, true);
        (0..10_000).for_each(record_one);
        detach();
        drop(writer);
        let text = fs::read_to_string(&path).unwrap();
        let (cut, rest) = text.split_once('\n').unwrap();
        assert_eq!(cut, "{\"time");
        assert_eq!(offsets(rest), (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_that_was_renamed_is_replaced_when_it_is_reopened() {
        let directory = tempfile::tempdir().unwrap();
        let [path, old] = ["faults", "faults.1"].map(|name| directory.path().join(name));
        let log = FaultLog::new(path.clone());
        let writer = log.start().unwrap();
        fs::rename(&path, &old).unwrap();
        log.reopen();
        attach(&log, false);
        record_one(1);
        detach();
        drop(writer);
        assert_eq!(offsets(&fs::read_to_string(&path).unwrap()), [1]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "");
    }

    #[test]
    fn records_that_the_file_refuses_are_counted() {
        let log = FaultLog::new("/dev/full".into());
        let writer = log.start().unwrap();
        attach(&log, false);
        (0..3).for_each(record_one);
        detach();
        drop(writer);
        assert_eq!(log.queue().totals().dropped, 3);
    }

    #[test]
    fn threads_wait_for_a_slow_reader_and_no_record_is_lost() {
        let (reader, pipe) = io::pipe().unwrap();
        let log = FaultLog::new("a pipe".into());
        let (queue, file) = (log.queue(), File::from(OwnedFd::from(pipe)));
        let writer = Writer::new(Arc::clone(&queue), file, Path::new("a pipe").into());
        let writer = thread::spawn(|| writer.run());
        let reader = thread::spawn(|| BufReader::new(reader).lines().count());
        attach(&log, true);
        // More than the queue may hold.
        let count = 60_000;
        (0..count as u64).for_each(record_one);
        detach();
        assert!(queue.close());
        writer.join().unwrap();
        assert_eq!((reader.join().unwrap(), queue.totals().dropped), (count, 0));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let error = FaultLog::new("/nowhere/faults".into()).start().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write the fault log /nowhere/faults: no such file or directory"
        );
    }
}
