//! Cursor in the stream of a connection.

use super::{
    block::MAX_CONNECTIONS,
    streams::{Streams, to_index},
};

/// Position in the stream of a connection that also knows its line. A sender and a receiver each have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    connection: u64,
    offset: u64,
    /// Number of the line that contains `offset`.
    line: u64,
    /// Offset after the newline of that line.
    line_end: u64,
}

impl Cursor {
    /// Creates a cursor at the start of a connection's stream.
    pub(crate) fn new(streams: &Streams, connection: u64) -> Self {
        debug_assert!(connection < MAX_CONNECTIONS);
        Self { connection, offset: 0, line: 0, line_end: streams.line_len(connection, 0) }
    }

    /// Returns the number of the connection.
    pub(crate) fn connection(&self) -> u64 {
        self.connection
    }

    /// Returns the number of bytes before it.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the number of lines that end before it.
    pub(crate) fn lines(&self) -> u64 {
        self.line
    }

    /// Returns the number of bytes from here to the end of the line.
    fn rest_of_line(&self) -> u64 {
        self.line_end - self.offset
    }

    /// Returns `true` if a line starts here.
    pub(crate) fn is_at_line_start(&self, streams: &Streams) -> bool {
        self.offset + streams.line_len(self.connection, self.line) == self.line_end
    }

    /// Fills the buffer with the bytes from here on; the cursor does not move.
    pub(crate) fn fill(&self, streams: &Streams, buffer: &mut [u8]) {
        streams.write_characters(self.connection, self.offset, buffer);
        let start = self.offset;
        let end = start + buffer.len() as u64;
        let (mut line, mut line_end) = (self.line, self.line_end);
        while line_end <= end {
            buffer[to_index(line_end - 1 - start)] = b'\n';
            line += 1;
            line_end += streams.line_len(self.connection, line);
        }
    }

    /// Moves forward by `bytes`; returns how many lines ended on the way.
    pub(crate) fn advance(&mut self, streams: &Streams, bytes: u64) -> u64 {
        self.offset += bytes;
        let first = self.line;
        if let Some(len) = streams.uniform_len() {
            self.line = self.offset / len;
            self.line_end = (self.line + 1) * len;
            return self.line - first;
        }
        while self.line_end <= self.offset {
            self.line += 1;
            self.line_end += streams.line_len(self.connection, self.line);
        }
        self.line - first
    }

    /// Moves back to the start of the line.
    pub(crate) fn rewind_line(&mut self, streams: &Streams) {
        self.offset = self.line_end - streams.line_len(self.connection, self.line);
    }

    /// Returns the length of the next `lines` lines, of which the first is the rest of the current one.
    pub(crate) fn len_of_lines(&self, streams: &Streams, lines: u64) -> u64 {
        if lines == 0 {
            return 0;
        }
        if let Some(len) = streams.uniform_len() {
            return self.rest_of_line() + (lines - 1) * len;
        }
        let further = (1..lines).map(|line| streams.line_len(self.connection, self.line + line));
        self.rest_of_line() + further.sum::<u64>()
    }
}

#[cfg(test)]
mod tests;
