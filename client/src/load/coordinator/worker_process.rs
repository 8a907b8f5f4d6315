//! Worker process, as the coordinator sees it: its pipes, its state, and its exit.
//!
//! Must not know the other processes, nor what their statistics add up to.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::CommandExt as _,
    },
    process::{self, Child, ChildStdin, ChildStdout, ExitStatus, Stdio},
    time::Instant,
};

use zeroize::Zeroizing;

use super::{exit_reason::ExitReason, line_buffer::LineBuffer};
use crate::load::ipc::{
    message::{Command, WorkerMessage},
    wire::encode,
    worker_config::WorkerConfig,
};

/// Maximum length of a message. Three histograms of 35,000 counts each, nearly all different, take less
/// than a tenth.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// Capacity of a pipe, and so the maximum length of a read.
const PIPE: usize = 64 * 1024;

/// Running worker process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    index: u32,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    lines: LineBuffer,
    /// Phase of its work.
    pub(super) state: State,
    /// Time at which it last sent something.
    pub(super) last_heard_at: Instant,
    /// Number of its connections that are open, as it last reported.
    pub(super) connections: u64,
}

/// Phase of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It makes its connections.
    Connecting,
    /// It waits for [`Command::Start`].
    Ready,
    /// It runs the load.
    Running,
    /// It has finished, or has failed.
    Finished,
}

impl WorkerProcess {
    /// Starts a process and sends it its configuration.
    ///
    /// It runs in a process group of its own, so that Ctrl+C on a terminal reaches only the coordinator.
    ///
    /// # Errors
    ///
    /// The system has no process or no pipe left.
    ///
    /// # Panics
    ///
    /// Never: both pipes are requested.
    pub(super) fn start(mut command: process::Command, config: &WorkerConfig) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let mut process = Self {
            index: config.process,
            child,
            input,
            output,
            lines: LineBuffer::default(),
            state: State::Connecting,
            last_heard_at: Instant::now(),
            connections: config.connections.into(),
        };
        // The configuration may hold a password.
        process.write(&Zeroizing::new(encode(config)));
        Ok(process)
    }

    /// Returns its name for the user: `process 3 (pid 1234)`.
    pub(super) fn name(&self) -> String {
        format!("process {} (pid {})", self.index, self.child.id())
    }

    /// Sends a command.
    pub(super) fn send(&mut self, command: Command) {
        self.write(&encode(&command));
    }

    fn write(&mut self, line: &str) {
        // A failure means that the process is gone, which the next read detects. The pipe is larger than
        // everything that is sent to a process, so the write does not block.
        let _ = self.input.write_all(line.as_bytes());
    }

    /// Receives messages into `messages`; to be called when its pipe is readable.
    ///
    /// # Errors
    ///
    /// The process has exited or sent something invalid; it is finished then.
    pub(super) fn recv(&mut self, messages: &mut Vec<WorkerMessage>) -> Result<(), ExitReason> {
        let mut chunk = vec![0; PIPE];
        let len = match self.output.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Ok(0) | Err(_) => {
                self.state = State::Finished;
                return Err(ExitReason::from_status(self.kill().ok()));
            }
            Ok(len) => len,
        };
        self.last_heard_at = Instant::now();
        for line in self.lines.push(&chunk[..len]) {
            let message = serde_json::from_slice(&line);
            messages.push(message.map_err(|_| self.terminate(ExitReason::InvalidMessage))?);
        }
        if self.lines.partial_len() > MAX_LINE {
            return Err(self.terminate(ExitReason::InvalidMessage));
        }
        Ok(())
    }

    /// Kills it for this reason, and returns the reason.
    pub(super) fn terminate(&mut self, reason: ExitReason) -> ExitReason {
        self.state = State::Finished;
        let _ = self.kill();
        reason
    }

    /// Kills it, unless it has exited, and waits for its exit.
    fn kill(&mut self) -> io::Result<ExitStatus> {
        // A process that is exiting keeps its own status.
        let _ = self.child.kill();
        self.child.wait()
    }
}

impl AsFd for WorkerProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
