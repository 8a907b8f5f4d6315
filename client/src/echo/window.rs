//! Bytes of a stream that are in flight: taken from the input, and not yet returned.
//!
//! Sans-IO: it checks what returns, and decides where the stream ends. Must not know where bytes come from
//! or go to.

use std::collections::VecDeque;

use common::exit::ExitMatcher;
use memchr::memchr;

use super::{
    error::{Error, WrongEcho},
    goodbye::{Goodbye, before_receipt},
    message::common_prefix,
};

/// Maximum number of bytes in flight (4 MiB).
///
/// It limits the client's memory, and has to cover the path to the server and back: 4 MiB fill 1 Gbit/s at
/// a round trip of 30 ms.
const MAX_IN_FLIGHT: usize = 4 * 1024 * 1024;

/// Bounded queue of bytes that are taken from the input, then sent, then returned.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// All bytes that have not returned, oldest first.
    bytes: VecDeque<u8>,
    /// Number of bytes at the front that have been sent. Invariant: at most `bytes.len()`.
    sent: usize,
    /// Number of bytes of the stream that have returned.
    returned: u64,
    /// No more input is taken.
    is_complete: bool,
    /// No line ends the stream.
    has_no_exit: bool,
    /// A receipt follows the goodbye.
    expects_receipt: bool,
    /// Matcher for the current line of input.
    line: ExitMatcher,
    /// Number of bytes at the end of `bytes` that belong to the last line: a goodbye may arrive instead of
    /// them. Invariant: zero unless that line reads as an exit.
    exit_len: u64,
    /// Length of the current line so far.
    line_len: u64,
    /// Answer to an exit, once it has started to arrive.
    goodbye: Goodbye,
}

impl Window {
    /// Returns a window for bytes that no line ends.
    pub(crate) fn without_exit() -> Self {
        Self { has_no_exit: true, ..Self::default() }
    }

    /// Returns the window with a receipt behind the goodbye, or without.
    pub(crate) fn with_receipt(self, expects_receipt: bool) -> Self {
        Self { expects_receipt, ..self }
    }

    /// Returns how many more bytes of input fit.
    pub(crate) fn capacity(&self) -> usize {
        if self.is_complete { 0 } else { MAX_IN_FLIGHT - self.bytes.len() }
    }

    /// Takes input, at most as much as fits; returns how much. A line that reads as an exit is the last:
    /// the input after it is not taken.
    pub(crate) fn push(&mut self, input: &[u8]) -> usize {
        if self.has_no_exit && !self.is_complete {
            self.bytes.extend(input);
            return input.len();
        }
        let mut taken = 0;
        while taken < input.len() && !self.is_complete {
            let rest = &input[taken..];
            let (line, len) = match memchr(b'\n', rest) {
                Some(newline) => (&rest[..newline], newline + 1),
                None => (rest, rest.len()),
            };
            self.line.feed(line);
            self.line_len += len as u64;
            if len > line.len() {
                self.is_complete = self.line.end_line().is_some();
                self.exit_len = if self.is_complete { self.line_len } else { 0 };
                self.line_len = 0;
            } else {
                // A server may answer a bare exit without waiting for its newline.
                let is_exit = { self.line }.end_line().is_some();
                self.exit_len = if is_exit { self.line_len } else { 0 };
            }
            taken += len;
        }
        self.bytes.extend(&input[..taken]);
        taken
    }

    /// Marks the input as complete.
    pub(crate) fn end(&mut self) {
        self.is_complete = true;
    }

    /// Returns the bytes to send next, or none if all have been sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        let (front, back) = self.bytes.as_slices();
        match self.sent.checked_sub(front.len()) {
            Some(in_back) => &back[in_back..],
            None => &front[self.sent..],
        }
    }

    /// Marks the first `count` of the [unsent](Self::unsent) bytes as sent.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        self.sent += count;
        debug_assert!(self.sent <= self.bytes.len());
    }

    /// Checks what the server has sent: returns how many bytes of it are right, and the error after them.
    ///
    /// # Errors
    ///
    /// [`Error::WrongEcho`], [`Error::Full`], [`Error::WrongGoodbye`]; [`Error::Unexpected`], also for a receipt
    pub(crate) fn check(&mut self, received: &[u8]) -> (usize, Result<(), Error>) {
        let echoed = if self.goodbye.has_started() { 0 } else { self.remove_echo(received) };
        let rest = &received[echoed..];
        if rest.is_empty() {
            return (echoed, Ok(()));
        }
        // Only the exit line is missing, and another answer arrives instead.
        let missing = self.bytes.len() as u64;
        let answers_exit = self.goodbye.has_started() || (0 < missing && missing <= self.exit_len);
        let answer = if self.expects_receipt { before_receipt(rest) } else { rest };
        if answers_exit && !answer.is_empty() && self.goodbye.push(answer) {
            if self.goodbye.is_complete() {
                self.is_complete = true;
                self.bytes.clear();
                self.sent = 0;
            }
            let (valid, rest) = (echoed + answer.len(), &rest[answer.len()..]);
            let is_over = rest.is_empty();
            return (valid, if is_over { Ok(()) } else { Err(Error::Unexpected(rest.to_vec())) });
        }
        if answers_exit && self.goodbye.is_complete() && answer.is_empty() {
            return (echoed, Err(Error::Unexpected(rest.to_vec())));
        }
        (echoed, Err(self.mismatch(rest, answers_exit)))
    }

    /// Removes the oldest sent bytes that `received` starts with; returns how many.
    fn remove_echo(&mut self, received: &[u8]) -> usize {
        let (front, back) = self.bytes.as_slices();
        let front = &front[..front.len().min(self.sent)];
        let back = &back[..self.sent - front.len()];
        let mut valid = common_prefix(front, received);
        if valid == front.len() {
            valid += common_prefix(back, &received[valid..]);
        }
        self.bytes.drain(..valid);
        self.sent -= valid;
        self.returned += valid as u64;
        valid
    }

    fn mismatch(&self, received: &[u8], answers_exit: bool) -> Error {
        if answers_exit {
            return Error::wrong_goodbye(received);
        }
        let expected: Vec<u8> =
            self.bytes.iter().take(self.sent.min(WrongEcho::CONTEXT)).copied().collect();
        Error::mismatch(self.returned, &expected, received)
    }

    /// Returns how many bytes have not returned.
    pub(crate) fn missing(&self) -> usize {
        self.bytes.len()
    }

    /// Returns `true` if no more input is taken.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }
}

#[cfg(test)]
mod tests;
