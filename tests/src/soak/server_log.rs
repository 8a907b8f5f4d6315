//! The log file of the server, rotated before it grows, read, and deleted.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use ::tests::{programs::EchoServer, wait::DEADLINE};
use rustix::process::Signal;

/// Position of the level in a line: `2024-01-15 10:30:45 - INFO - text`.
const LEVEL_AT: usize = "2024-01-15 10:30:45 - ".len();

/// Interval at which to check for the new file of the server, for which there is no event.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Maximum number of errors that are kept for the output.
const MAX_SHOWN: usize = 5;

/// Log file, and the counts of the lines read so far.
#[derive(Debug)]
pub(crate) struct ServerLog {
    path: PathBuf,
    /// Number of connections that the server has served.
    pub(crate) connections: u64,
    /// Number of messages that the server has received.
    pub(crate) messages: u64,
    /// Number of errors of the server.
    pub(crate) errors: u64,
    /// The first errors.
    pub(crate) first_errors: Vec<String>,
}

impl ServerLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, connections: 0, messages: 0, errors: 0, first_errors: Vec::new() }
    }

    /// Moves the file away, makes the server open a new one, and reads the old one.
    pub(crate) fn rotate(&mut self, server: &EchoServer) -> anyhow::Result<()> {
        let old = self.path.with_extension("old");
        fs::rename(&self.path, &old)?;
        server.signal(Signal::HUP);
        let start = Instant::now();
        // When the new file exists, the server writes nothing more to the old one.
        while !self.path.exists() {
            anyhow::ensure!(start.elapsed() < DEADLINE, "the server has not reopened its log file");
            thread::sleep(POLL_INTERVAL);
        }
        self.read(&old)
    }

    /// Reads the last file of a server that has ended.
    pub(crate) fn read_rest(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        self.read(&path)
    }

    fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut file = BufReader::with_capacity(1024 * 1024, fs::File::open(path)?);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 {
            self.add(&line);
            line.clear();
        }
        Ok(fs::remove_file(path)?)
    }

    fn add(&mut self, line: &[u8]) {
        // A line without a level is not from the server: an error as well.
        let rest = line.get(LEVEL_AT..).unwrap_or_default();
        if rest.starts_with(b"INFO - ") {
            self.connections += u64::from(rest.starts_with(b"INFO - New client connected: "));
            self.messages += u64::from(rest.starts_with(b"INFO - Received from "));
        } else if !rest.starts_with(b"WARNING - ") {
            self.errors += 1;
            if self.first_errors.len() < MAX_SHOWN {
                self.first_errors.push(String::from_utf8_lossy(line).trim_end().to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_looks_like_an_error_is_not_counted_as_one() {
        let mut log = ServerLog::new(PathBuf::new());
        for line in [
            "2024-01-15 10:31:15 - INFO - New client connected: 127.0.0.1:54321",
            "2024-01-15 10:31:25 - INFO - Received from 127.0.0.1:54321: ' - ERROR - '",
            "2024-01-15 10:31:25 - INFO - Echoed to 127.0.0.1:54321: ' - ERROR - '",
            "2024-01-15 10:31:26 - WARNING - Client 127.0.0.1:54321 timed out",
        ] {
            log.add(line.as_bytes());
        }
        assert_eq!((log.connections, log.messages, log.errors), (1, 1, 0));
        log.add(b"2024-01-15 10:31:30 - ERROR - Panic at worker.rs:1:1: no message\n");
        log.add(b"half a li\n");
        assert_eq!(log.errors, 2);
        assert!(log.first_errors[0].ends_with("no message"), "{:?}", log.first_errors);
    }
}
