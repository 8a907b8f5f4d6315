//! The fault log of a server, as it grows.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{escape::Escaped, fault::FaultRecord, reason::reason};
use rustix::{
    event::{PollFd, PollFlags},
    fs::inotify,
};

use super::pairing::judge;
use crate::{
    load::{
        ipc::observation::Observation, report::figures::fault_figures::FaultFigures,
        worker::payload::streams::Streams,
    },
    net::poll::{Deadline, poll},
};

/// Failure to read a fault log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error(
        "Could not read the fault log {}: {}; give the file that the server writes (--fault-log)", name(.path), reason(.error)
    )]
    Io {
        /// File.
        path: PathBuf,
        /// Error of the system.
        error: io::Error,
    },

    /// A line is no record.
    #[error(
        "Line {line} of {} is no record of a fault ({error}); give the file that the server writes (--fault-log)", name(.path)
    )]
    Line {
        /// File.
        path: PathBuf,
        /// Number of the line since the start of the load.
        line: usize,
        /// Error of the decoder.
        error: serde_json::Error,
    },

    /// No record is of this load.
    #[error(
        "The fault log {} has {records} records since the start, and none of a connection of this load: give the log of the \
         server at this address, and connect to it without a proxy in between", name(.path)
    )]
    Foreign {
        /// File.
        path: PathBuf,
        /// Number of records.
        records: u64,
    },
}

/// Fault log. What it had at the start belongs to other loads.
#[derive(Debug)]
pub(crate) struct FaultLog {
    path: PathBuf,
    /// File at the start, and its length. `None`: there was none.
    start: Option<(u64, u64)>,
}

impl FaultLog {
    /// Notes where the log of a load begins. A server creates the file when it starts, which may be later.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let start = match File::open(path).and_then(|file| file.metadata()) {
            Ok(metadata) => Some((metadata.ino(), metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::Io { path: path.to_owned(), error }),
        };
        Ok(Self { path: path.to_owned(), start })
    }

    /// Compares what a load has observed with the records. Waits for those that are missing, because a server writes them in
    /// batches, but at most for [`PATIENCE`].
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is that of another server.
    pub(crate) fn compare(
        &self,
        observations: &[Observation],
        streams: &Streams,
    ) -> Result<FaultFigures, Error> {
        self.compare_by(Deadline::after(PATIENCE), observations, streams)
    }

    fn compare_by(
        &self,
        deadline: Deadline,
        observations: &[Observation],
        streams: &Streams,
    ) -> Result<FaultFigures, Error> {
        let growth = Growth::of(&self.path);
        loop {
            // Records of other clients may make the file grow without end.
            let is_last = deadline.is_past();
            let figures = judge(observations, &self.read()?, streams);
            if !is_last && growth.wait(next_record_by(&figures, deadline)) {
                continue;
            }
            let FaultFigures { injected, of_others: records, disagreements, .. } = figures;
            if disagreements > 0 && injected == 0 && records > 0 {
                return Err(Error::Foreign { path: self.path.clone(), records });
            }
            return Ok(figures);
        }
    }

    /// Returns the records since the start. A last line that is not complete is not among them.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has something else.
    fn read(&self) -> Result<Vec<FaultRecord>, Error> {
        let content =
            self.content().map_err(|error| Error::Io { path: self.path.clone(), error })?;
        let lines = content.split_inclusive(|&byte| byte == b'\n').enumerate();
        lines
            .filter(|(_, line)| line.ends_with(b"\n") && !line.trim_ascii().is_empty())
            .map(|(index, line)| {
                let record = serde_json::from_slice(line);
                record.map_err(|error| Error::Line {
                    path: self.path.clone(),
                    line: index + 1,
                    error,
                })
            })
            .collect()
    }

    fn content(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        // Another file has taken the place of the one at the start, or it was emptied.
        let start =
            self.start.filter(|&(inode, len)| inode == metadata.ino() && len <= metadata.len());
        file.seek(SeekFrom::Start(start.map_or(0, |(_, len)| len)))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(content)
    }
}

/// Growth of a file, by which a process can wait for it.
#[derive(Debug)]
pub(crate) struct Growth(Option<rustix::fd::OwnedFd>);

impl Growth {
    /// Begins to watch. A file that cannot be watched never grows.
    pub(crate) fn of(path: &Path) -> Self {
        let watch = || {
            let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
            let watch = inotify::init(flags)?;
            inotify::add_watch(&watch, path, inotify::WatchFlags::MODIFY)?;
            Ok::<_, rustix::io::Errno>(watch)
        };
        Self(watch().ok())
    }

    /// Waits until the file has grown since the last call; returns `false` if it has not by the deadline.
    pub(crate) fn wait(&self, deadline: Deadline) -> bool {
        let Some(watch) = &self.0 else { return false };
        let mut fds = [PollFd::new(watch, PollFlags::IN)];
        if poll(&mut fds, deadline).is_err() || fds[0].revents().is_empty() {
            return false;
        }
        // Many events may wait, and all mean the same.
        let mut buffer = [0; 4096];
        while rustix::io::read(watch, &mut buffer).is_ok_and(|count| count > 0) {}
        true
    }
}

/// Time for which records that are missing are awaited: a server writes them in batches.
const PATIENCE: Duration = Duration::from_secs(3);

/// Time for which the file must not grow after everything agrees: a record that is late may be of a fault that did not happen.
const QUIET: Duration = Duration::from_millis(50);

/// Returns the time until which another record may follow. A log without a record may be late: a missing record of a delay
/// contradicts no observation.
fn next_record_by(figures: &FaultFigures, deadline: Deadline) -> Deadline {
    let has_all = figures.disagreements == 0 && figures.injected > 0;
    if has_all { Deadline::after(QUIET) } else { deadline }
}

fn name(path: &Path) -> String {
    Escaped(path.as_os_str().as_encoded_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        io::Write as _,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::Relaxed},
        },
        thread,
    };

    fn line(connection: u64) -> String {
        format!(
            "{{\"time\":\"2026-01-31T12:00:00Z\",\"listener\":\"127.0.0.1:7\",\"peer\":\"127.0.0.1:5\",\"seed\":7,\
             \"connection\":{connection},\"fault\":\"refuse\",\"direction\":\"sent\",\"offset\":0}}\n"
        )
    }

    #[test]
    fn only_complete_lines_that_follow_the_start_are_records() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults");
        let early = FaultLog::open(&path).unwrap();
        assert!(early.read().is_err(), "there is no file yet");
        fs::write(&path, line(1)).unwrap();
        let log = FaultLog::open(&path).unwrap();
        assert!(log.read().unwrap().is_empty());
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        let (two, three) = (line(2), line(3));
        file.write_all(two.as_bytes()).unwrap();
        file.write_all(&three.as_bytes()[..30]).unwrap();
        let numbers =
            |log: &FaultLog| log.read().unwrap().iter().map(|it| it.connection).collect::<Vec<_>>();
        assert_eq!((numbers(&log), numbers(&early)), (vec![2], vec![1, 2]));
        file.write_all(&three.as_bytes()[30..]).unwrap();
        assert_eq!(numbers(&log), [2, 3]);
    }

    #[test]
    fn a_file_that_is_no_fault_log_is_an_error_that_names_the_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults");
        let log = FaultLog::open(&path).unwrap();
        fs::write(&path, line(1) + "hello\n").unwrap();
        let error = log.read().unwrap_err().to_string();
        assert!(error.contains("Line 2 of ") && error.contains("no record"), "{error}");
        let error = FaultLog::open(directory.path()).unwrap().read().unwrap_err().to_string();
        assert!(error.contains("Could not read the fault log"), "{error}");
    }

    /// A load without faults agrees with any records of others.
    #[test]
    fn a_file_that_grows_without_end_is_read_until_the_deadline() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults");
        fs::write(&path, "").unwrap();
        let log = FaultLog::open(&path).unwrap();
        let is_compared = Arc::new(AtomicBool::new(false));
        let writer = thread::spawn({
            let is_compared = Arc::clone(&is_compared);
            // The limit ends a test that fails.
            move || {
                (0..20_000).any(|_| fs::write(&path, line(1)).is_ok() && is_compared.load(Relaxed))
            }
        });
        let deadline = Deadline::after(Duration::from_millis(5));
        let figures = log.compare_by(deadline, &[], &Streams::new(5, 64..=64)).unwrap();
        is_compared.store(true, Relaxed);
        assert_eq!((figures.injected, figures.disagreements), (0, 0));
        assert!(writer.join().unwrap(), "the comparison lasted as long as the file grew");
    }

    #[test]
    fn a_log_without_a_record_has_as_much_time_as_one_in_which_records_are_missing() {
        for (injected, disagreements, has_all) in
            [(0, 0, false), (0, 1, false), (1, 1, false), (1, 0, true)]
        {
            let figures = FaultFigures { injected, disagreements, ..FaultFigures::default() };
            let end = next_record_by(&figures, Deadline::NEVER);
            assert_eq!(end.left().is_some(), has_all, "{figures:?}");
        }
    }

    #[test]
    fn a_wait_ends_when_the_file_grows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("faults");
        fs::write(&path, "").unwrap();
        let growth = Growth::of(&path);
        assert!(!growth.wait(Deadline::after(Duration::ZERO)));
        let writer = thread::spawn(move || fs::write(path, "x"));
        assert!(growth.wait(Deadline::NEVER));
        writer.join().unwrap().unwrap();
    }
}
