//! Expectation of a connection: what it may send, what is in flight, and what must return.
//!
//! There are three positions in one stream: what has returned, what has been sent, and what is queued for
//! sending. Only the times of the lines in flight are stored: the bytes are generated when they are sent,
//! and again when they are checked. Must not know a clock or a socket; times count from the start of the
//! run.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    ops::Range,
    time::Duration,
};

use crate::load::worker::payload::{cursor::Cursor, streams::Streams};

/// State of one connection's stream.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    /// End of what has returned.
    returned: Cursor,
    /// End of what has been sent.
    sent: Cursor,
    /// End of what is queued. Invariant: a line starts there.
    queued: Cursor,
    /// Times from which the lines that have not returned count, oldest first, each with the number of its
    /// lines.
    since: VecDeque<(Since, u64)>,
}

/// Socket that takes bytes of lines.
pub(super) trait LineSink {
    /// Sends bytes; returns how many. `rest` returns the length of the last line after them.
    ///
    /// # Errors
    ///
    /// The connection is lost, or accepts no bytes now.
    fn send(&mut self, bytes: &[u8], rest: impl FnOnce() -> u64) -> io::Result<usize>;
}

/// Time from which a line counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Closed loop: this time, at which it was queued.
    Queued(Duration),
    /// Open loop: the time at which it was due, which the schedule knows by the number of the line.
    Due,
}

/// First byte that differs from what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Number of right bytes before it.
    pub(super) valid: usize,
}

impl Expectation {
    /// Creates the expectation at the start of a connection's stream, with nothing queued.
    pub(super) fn new(streams: &Streams, connection: u64) -> Self {
        let start = Cursor::new(streams, connection);
        Self { returned: start.clone(), sent: start.clone(), queued: start, since: VecDeque::new() }
    }

    /// Queues more lines, whose latency counts from `since`.
    pub(super) fn queue(&mut self, streams: &Streams, lines: u64, since: Since) {
        self.queued.advance(streams, self.queued.len_of_lines(streams, lines));
        match self.since.back_mut() {
            Some((last, count)) if *last == since => *count += lines,
            _ => self.since.push_back((since, lines)),
        }
    }

    /// Removes the queued lines of which nothing has been sent; returns the number of lines that are left of the
    /// whole stream.
    pub(super) fn drop_unsent(&mut self, streams: &Streams) -> u64 {
        let mut end = self.sent.clone();
        if !end.is_at_line_start(streams) {
            end.advance(streams, end.len_of_lines(streams, 1));
        }
        let mut dropped = self.queued.lines() - end.lines();
        self.queued = end;
        while let Some((_, count)) = self.since.back_mut().filter(|_| dropped > 0) {
            let those = dropped.min(*count);
            dropped -= those;
            *count -= those;
            if *count == 0 {
                self.since.pop_back();
            }
        }
        self.queued.lines()
    }

    /// Sends as much of the queue as the socket accepts.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        streams: &Streams,
        socket: &mut impl LineSink,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        while self.has_unsent() {
            let left = self.queued.offset() - self.sent.offset();
            let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.sent.fill(streams, &mut buffer[..len]);
            let rest = || {
                let mut end = self.sent.clone();
                end.advance(streams, len as u64);
                if end.is_at_line_start(streams) { 0 } else { end.len_of_lines(streams, 1) }
            };
            match socket.send(&buffer[..len], rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent.advance(streams, written as u64);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Checks bytes that have returned. For complete lines it calls `on_lines` with the time from which
    /// they count, and their numbers in the stream. `buffer` is scratch space.
    ///
    /// # Errors
    ///
    /// A byte is wrong, or had not been sent. The right bytes before it count as returned.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than `received`.
    pub(super) fn check(
        &mut self,
        streams: &Streams,
        received: &[u8],
        buffer: &mut [u8],
        mut on_lines: impl FnMut(Since, Range<u64>),
    ) -> Result<(), Mismatch> {
        let outstanding = usize::try_from(self.outstanding_bytes()).unwrap_or(usize::MAX);
        let expected = &mut buffer[..received.len()];
        self.returned.fill(streams, expected);
        let valid = if *expected == *received && received.len() <= outstanding {
            received.len()
        } else {
            let same = received.iter().zip(&*expected).take_while(|(one, other)| one == other);
            same.count().min(outstanding)
        };
        let mut first = self.returned.lines();
        let mut lines = self.returned.advance(streams, valid as u64);
        while lines > 0 {
            let (since, group) =
                self.since.front_mut().expect("a line that was sent has been queued");
            let count = lines.min(*group);
            on_lines(*since, first..first + count);
            first += count;
            lines -= count;
            *group -= count;
            if *group == 0 {
                self.since.pop_front();
            }
        }
        if valid == received.len() { Ok(()) } else { Err(Mismatch { valid }) }
    }

    /// Returns `true` if a queued byte has not been sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.sent.offset() < self.queued.offset()
    }

    /// Returns the number of lines that are queued or sent, and have not returned.
    pub(super) fn in_flight(&self) -> u64 {
        self.queued.lines() - self.returned.lines()
    }

    /// Returns the number of bytes of these lines that have not returned.
    pub(super) fn bytes_in_flight(&self) -> u64 {
        self.queued.offset() - self.returned.offset()
    }

    /// Returns the number of lines that were sent at least in part, and have not returned.
    pub(super) fn outstanding_lines(&self, streams: &Streams) -> u64 {
        let partial = u64::from(!self.sent.is_at_line_start(streams));
        self.sent.lines() + partial - self.returned.lines()
    }

    /// Returns the number of bytes that were sent, and have not returned.
    pub(super) fn outstanding_bytes(&self) -> u64 {
        self.sent.offset() - self.returned.offset()
    }

    /// Queues every line again that has not returned completely: the socket is closed, and no more will
    /// return. The lines count from their original time. Returns how many of them had been sent.
    pub(super) fn requeue(&mut self, streams: &Streams) -> u64 {
        let lines = self.outstanding_lines(streams);
        self.returned.rewind_line(streams);
        self.sent = self.returned.clone();
        lines
    }

    /// Returns the number of lines that have returned.
    pub(super) fn returned_lines(&self) -> u64 {
        self.returned.lines()
    }

    /// Returns the number of lines that have been queued.
    pub(super) fn queued_lines(&self) -> u64 {
        self.queued.lines()
    }

    /// Returns the position of the next byte to return.
    pub(super) fn next_expected(&self) -> &Cursor {
        &self.returned
    }

    /// Returns the number of bytes that have been sent.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent.offset()
    }
}

#[cfg(test)]
mod tests;
