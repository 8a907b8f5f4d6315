//! Commands of the coordinator, as they arrive on standard input.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _},
    os::fd::{AsRawFd as _, RawFd},
};

use crate::load::ipc::message::Command;

/// Reader of commands from a non-blocking file.
pub(super) struct Commands {
    input: File,
    /// Received bytes that do not yet form a line.
    buffer: Vec<u8>,
    has_started: bool,
    has_stopped: bool,
}

impl Commands {
    pub(super) fn new(input: File) -> Self {
        Self { input, buffer: Vec::new(), has_started: false, has_stopped: false }
    }

    /// Returns the descriptor, to be registered for events.
    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.input.as_raw_fd()
    }

    /// Returns `true` if the load may start.
    pub(super) fn has_started(&self) -> bool {
        self.has_started
    }

    /// Returns `true` if the load has to stop.
    pub(super) fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// Receives the commands that have arrived.
    ///
    /// # Errors
    ///
    /// The coordinator is gone, or sent something else.
    pub(super) fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; 256];
        loop {
            match self.input.read(&mut chunk) {
                Ok(0) => return Err(io::Error::other("the coordinator is gone")),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some(newline) = memchr::memchr(b'\n', &self.buffer) {
            let line: Vec<u8> = self.buffer.drain(..=newline).collect();
            match serde_json::from_slice(&line)? {
                Command::Start => self.has_started = true,
                Command::Stop => self.has_stopped = true,
            }
        }
        Ok(())
    }
}
