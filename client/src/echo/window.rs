//! The bytes of a stream that have gone out, or are about to, and have not come back yet.
//!
//! Sans-IO: owns what the filter knows about its stream, and where the stream ends. Must not know
//! where bytes come from or go to.

use std::collections::VecDeque;

use common::exit::ExitMatcher;
use memchr::memchr;

use crate::{
    echo::{exchange::common_prefix, goodbye::Goodbye},
    net::error::{Error, WrongEcho},
};

/// The most bytes under way at a time (4 MiB).
///
/// It is the client's share of memory, and has to hold what the path to the server and back does:
/// 4 MiB fill 1 Gbit/s at a round trip of 30 ms.
pub const MAX_UNDER_WAY: usize = 4 * 1024 * 1024;

/// A bounded queue of bytes: taken from the input, then sent, then returned.
#[derive(Debug, Default)]
pub struct Window {
    /// All that has not come back, oldest first.
    bytes: VecDeque<u8>,
    /// How many of them, from the front, have been sent. Invariant: at most all.
    sent: usize,
    /// How many bytes of the stream have come back before them.
    returned: u64,
    /// Whether no more input will be taken.
    ended: bool,
    /// The line of input that is being taken.
    line: ExitMatcher,
    /// How many of the last `bytes` are the last line's: a goodbye may come in their place.
    /// Invariant: zero unless that line reads as an exit.
    exit_line: u64,
    /// How many bytes the line being taken has so far.
    line_len: u64,
    /// The answer to an exit, once it has begun to come.
    goodbye: Goodbye,
}

impl Window {
    /// How many more bytes of input fit.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.ended { 0 } else { MAX_UNDER_WAY - self.bytes.len() }
    }

    /// Takes input, at most as much as there is room for. A line that reads as an exit is the last:
    /// what comes after it is not taken. Says how much was.
    pub fn take(&mut self, input: &[u8]) -> usize {
        let mut taken = 0;
        while taken < input.len() && !self.ended {
            let rest = &input[taken..];
            let (line, len) = match memchr(b'\n', rest) {
                Some(newline) => (&rest[..newline], newline + 1),
                None => (rest, rest.len()),
            };
            self.line.feed(line);
            self.line_len += len as u64;
            if len > line.len() {
                self.ended = self.line.end_line().is_some();
                self.exit_line = if self.ended { self.line_len } else { 0 };
                self.line_len = 0;
            } else {
                // A server answers a bare exit as well, without waiting for its newline.
                let is_exit = { self.line }.end_line().is_some();
                self.exit_line = if is_exit { self.line_len } else { 0 };
            }
            taken += len;
        }
        self.bytes.extend(&input[..taken]);
        taken
    }

    /// The input is at its end.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Bytes to send next; empty if all that was taken has been sent.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        let (front, back) = self.bytes.as_slices();
        match self.sent.checked_sub(front.len()) {
            Some(in_back) => &back[in_back..],
            None => &front[self.sent..],
        }
    }

    /// The first `count` of the [unsent](Self::unsent) bytes have been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        debug_assert!(self.sent <= self.bytes.len());
    }

    /// Takes what the server has sent: how many bytes of it are right, and what is wrong after them.
    ///
    /// # Errors
    ///
    /// [`Error::WrongEcho`], [`Error::Unasked`], [`Error::WrongGoodbye`]
    pub fn check(&mut self, received: &[u8]) -> (usize, Result<(), Error>) {
        let echoed = if self.goodbye.has_begun() { 0 } else { self.return_echo(received) };
        let rest = &received[echoed..];
        if rest.is_empty() {
            return (echoed, Ok(()));
        }
        // What is owed is a part of the exit, and another answer comes instead.
        let owed = self.bytes.len() as u64;
        let answers_exit = self.goodbye.has_begun() || (0 < owed && owed <= self.exit_line);
        if answers_exit && self.goodbye.takes(rest) {
            if self.goodbye.is_said() {
                self.ended = true;
                self.bytes.clear();
                self.sent = 0;
            }
            return (received.len(), Ok(()));
        }
        (echoed, Err(self.wrong(rest, answers_exit)))
    }

    /// Takes back the bytes at the head of `received` that are the oldest sent ones; says how many.
    fn return_echo(&mut self, received: &[u8]) -> usize {
        let (front, back) = self.bytes.as_slices();
        let front = &front[..front.len().min(self.sent)];
        let back = &back[..self.sent - front.len()];
        let mut right = common_prefix(front, received);
        if right == front.len() {
            right += common_prefix(back, &received[right..]);
        }
        self.bytes.drain(..right);
        self.sent -= right;
        self.returned += right as u64;
        right
    }

    fn wrong(&self, rest: &[u8], answers_exit: bool) -> Error {
        if answers_exit {
            return Error::WrongGoodbye(rest.to_vec());
        }
        let expected: Vec<u8> =
            self.bytes.iter().take(self.sent.min(WrongEcho::CONTEXT)).copied().collect();
        Error::wrong(self.returned, &expected, rest)
    }

    /// How many bytes have not come back.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing more to take from the input.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests;
