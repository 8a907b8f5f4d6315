//! The server's log file: rotated before it grows, read, and deleted.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use ::tests::{DEADLINE, server::EchoServer};
use rustix::process::Signal;

/// Where a line's level begins: `2024-01-15 10:30:45 - INFO - text`.
const LEVEL_AT: usize = "2024-01-15 10:30:45 - ".len();

/// How often to look whether the server has a new file: there is no event for that from outside.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// Lines that are kept to be shown.
const MOST_SHOWN: usize = 5;

/// A log file, and what has been read of it.
#[derive(Debug)]
pub(crate) struct ServerLog {
    path: PathBuf,
    /// Connections that were served.
    pub(crate) connections: u64,
    /// Messages that were received.
    pub(crate) messages: u64,
    /// Lines about faults of the server.
    pub(crate) errors: u64,
    /// The first of those.
    pub(crate) first_errors: Vec<String>,
}

impl ServerLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, connections: 0, messages: 0, errors: 0, first_errors: Vec::new() }
    }

    /// Moves the file away, has the server open a new one, and reads the old one.
    pub(crate) fn rotate(&mut self, server: &EchoServer) -> anyhow::Result<()> {
        let old = self.path.with_extension("old");
        fs::rename(&self.path, &old)?;
        server.signal(Signal::HUP);
        let begun = Instant::now();
        // Once the new one is there, nothing more is written to the old one.
        while !self.path.exists() {
            anyhow::ensure!(begun.elapsed() < DEADLINE, "the server does not reopen its log file");
            thread::sleep(LOOK_INTERVAL);
        }
        self.read(&old)
    }

    /// Reads what a server that has ended has left.
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
        // A line without a level is none of the server's: that is a fault, too.
        let rest = line.get(LEVEL_AT..).unwrap_or_default();
        if rest.starts_with(b"INFO - ") {
            self.connections += u64::from(rest.starts_with(b"INFO - New client connected: "));
            self.messages += u64::from(rest.starts_with(b"INFO - Received from "));
        } else if !rest.starts_with(b"WARNING - ") {
            self.errors += 1;
            if self.first_errors.len() < MOST_SHOWN {
                self.first_errors.push(String::from_utf8_lossy(line).trim_end().to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_messages_that_read_like_them() {
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
