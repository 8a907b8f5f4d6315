//! One process of the load, as its parent sees it: its pipes, what it said last, how it ended.
//!
//! Must not know the others, nor what their figures add up to.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    time::Instant,
};

use signal_hook::low_level::signal_name;

use crate::load::ipc::wire::{Order, Report, Word, line};

/// The longest report. Three histograms of 35,000 counts each, with hardly any two alike, are not a
/// tenth of it.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// What a pipe holds, and so what can come at once.
const PIPE: usize = 64 * 1024;

/// A process that was started; it is killed when this is dropped.
#[derive(Debug)]
pub struct Worker {
    number: u32,
    child: Child,
    orders: ChildStdin,
    reports: ChildStdout,
    lines: Lines,
    /// How far it has come.
    pub state: State,
    /// When it was last heard.
    pub heard: Instant,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It makes its connections.
    Connecting,
    /// It waits for the word to start.
    Ready,
    /// It works.
    Working,
    /// It has reported the end of its work, or has failed to come to one.
    Over,
}

/// Why a process said less than it should have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Death {
    /// It ended; this is how.
    #[error("{0} before it was done")]
    Ended(String),
    /// It said something that is no report.
    #[error("said something that is no report, and was ended")]
    Nonsense,
    /// It said nothing for too long.
    #[error("was silent for too long, and was ended")]
    Silent,
    /// It was not done when it should have been.
    #[error("was not done in time, and was ended")]
    Late,
    /// It gave up; this is why.
    #[error("gave up: {0}")]
    GaveUp(String),
}

impl Worker {
    /// Starts a process and gives it its order.
    ///
    /// It gets a process group of its own: Ctrl+C on a terminal is for the parent to hear.
    ///
    /// # Errors
    ///
    /// The system has no room for another process, or no pipes for it.
    ///
    /// # Panics
    ///
    /// Never: the pipes are asked for.
    pub fn start(mut command: Command, order: &Order) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let orders = child.stdin.take().expect("it was asked for");
        let reports = child.stdout.take().expect("it was asked for");
        let mut worker = Self {
            number: order.process,
            child,
            orders,
            reports,
            lines: Lines::default(),
            state: State::Connecting,
            heard: Instant::now(),
        };
        worker.write(&line(order));
        Ok(worker)
    }

    /// How it is called: `process 3 (pid 1234)`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("process {} (pid {})", self.number, self.child.id())
    }

    /// Says a word to it.
    pub fn say(&mut self, word: Word) {
        self.write(&line(&word));
    }

    fn write(&mut self, line: &str) {
        // One that is gone hears nothing; that it is gone is seen when it is read. The pipe is larger
        // than all that is ever said to a process, so this does not wait.
        let _ = self.orders.write_all(line.as_bytes());
    }

    /// Takes what it has said since, into `reports`; to be called when its pipe is readable.
    ///
    /// # Errors
    ///
    /// It has ended, or talks nonsense; then it is over.
    pub fn hear(&mut self, reports: &mut Vec<Report>) -> Result<(), Death> {
        let mut chunk = vec![0; PIPE];
        let len = match self.reports.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Ok(0) | Err(_) => {
                self.state = State::Over;
                return Err(Death::Ended(self.end().map_or_else(|_| "ended".to_owned(), describe)));
            }
            Ok(len) => len,
        };
        self.heard = Instant::now();
        for line in self.lines.take(&chunk[..len]) {
            reports.push(serde_json::from_slice(&line).map_err(|_| self.give_up(Death::Nonsense))?);
        }
        if self.lines.partial.len() > MAX_LINE {
            return Err(self.give_up(Death::Nonsense));
        }
        Ok(())
    }

    /// Ends it, for this reason.
    pub fn give_up(&mut self, reason: Death) -> Death {
        self.state = State::Over;
        let _ = self.end();
        reason
    }

    /// Kills it, if it has not ended, and waits for its end.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // One that has begun to end keeps the status that it ends with.
        let _ = self.child.kill();
        self.child.wait()
    }
}

/// Bytes that become lines.
#[derive(Debug, Default)]
struct Lines {
    /// What has come of a line that is not whole yet.
    partial: Vec<u8>,
}

impl Lines {
    /// Takes more bytes; the lines that are whole by now, in order.
    fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                lines.push(std::mem::take(&mut self.partial));
            }
        }
        lines
    }
}

impl AsFd for Worker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reports.as_fd()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// How a process ended, as the second half of a sentence.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("was killed by {name}"),
            None => format!("was killed by signal {signal}"),
        },
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"one\n\ntwo\nrest";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut lines = Lines::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let taken = pieces.map(|piece| lines.take(piece)).concat();
                assert_eq!(taken, [&b"one\n"[..], b"\n", b"two\n"], "{first} {second}");
                assert_eq!(lines.partial, b"rest");
            }
        }
    }
}
