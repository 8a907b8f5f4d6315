//! The bytes of a stream that have gone out, or are about to, and have not come back yet.
//!
//! Sans-IO: owns what the filter knows about its stream, and where the stream ends. Must not know
//! where bytes come from or go to.

use std::collections::VecDeque;

use common::exit::ExitMatcher;
use memchr::memchr;

use crate::{
    error::{Error, WrongEcho},
    exchange::common_prefix,
    goodbye::Goodbye,
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(input: &[u8]) -> Window {
        let mut window = Window::default();
        window.take(input);
        while !window.unsent().is_empty() {
            window.sent(window.unsent().len());
        }
        window
    }

    fn verdict(window: &mut Window, received: &[u8]) -> Result<(), String> {
        window.check(received).1.map_err(|error| error.to_string())
    }

    #[test]
    fn a_wrong_byte_is_named_by_its_place_in_the_stream() {
        let mut window = sent(b"one\ntwo\n");
        assert_eq!(verdict(&mut window, b"one\n"), Ok(()));
        let (right, wrong) = window.check(b"tWo\n");
        assert_eq!(right, 1);
        assert_eq!(
            wrong.unwrap_err().to_string(),
            r"Wrong echo at byte 6: expected 'wo\n', received 'Wo\n'"
        );
    }

    #[test]
    fn an_echo_of_bytes_not_sent_yet_is_unasked() {
        let mut window = Window::default();
        window.take(b"abc");
        window.sent(1);
        assert_eq!(window.check(b"a").0, 1);
        assert_eq!(
            verdict(&mut window, b"bc").unwrap_err(),
            "The server sent something unasked: 'bc'"
        );
    }

    #[test]
    fn an_exit_line_ends_the_stream_and_is_answered_by_goodbye_or_echo() {
        for answer in [&b"Goodbye!\r\n"[..], b"Goodbye!", b" eXit\r\n", b" eXGoodbye!\r\n"] {
            for split in 0..=answer.len() {
                let mut window = sent(b"hello\n eXit\r\nnot sent\n");
                assert!(window.has_ended());
                assert_eq!(window.owed(), b"hello\n eXit\r\n".len());
                assert_eq!(verdict(&mut window, b"hello\n"), Ok(()));
                assert_eq!(verdict(&mut window, &answer[..split]), Ok(()));
                assert_eq!(verdict(&mut window, &answer[split..]), Ok(()), "{answer:?} at {split}");
                assert_eq!(window.owed(), 0);
            }
        }
    }

    #[test]
    fn a_bare_exit_may_be_answered_too() {
        let mut window = sent(b"exit");
        assert!(!window.has_ended());
        assert_eq!(verdict(&mut window, b"Goodbye!"), Ok(()));
        assert!(window.has_ended());
    }

    #[test]
    fn a_goodbye_that_nobody_asked_for_is_a_wrong_echo() {
        assert!(verdict(&mut sent(b"exit now\n"), b"Goodbye!\n").is_err());
        assert!(verdict(&mut sent(b"hello\nexit\n"), b"Goodbye!\n").is_err());
        assert!(verdict(&mut sent(b"exit\n"), b"Goodbye!\nand more").is_err());
        assert!(verdict(&mut sent(b""), b"Goodbye!\n").is_err());
    }

    proptest! {
        /// However a stream is cut on its way out and back, it is right as long as it is the same.
        #[test]
        fn any_pieces_of_the_right_bytes_are_right(
            stream in proptest::collection::vec(any::<u8>(), 0..400),
            pieces in proptest::collection::vec(1_usize..50, 1..100),
            flip in proptest::option::of(0_usize..400),
        ) {
            let mut window = Window::default();
            let (mut taken, mut back) = (0, 0);
            for piece in pieces {
                let next = &stream[taken..(taken + piece).min(stream.len())];
                window.take(next);
                taken += next.len();
                window.sent(window.unsent().len().min(piece / 2 + 1));
                let mut received = stream[back..back + window.sent.min(piece)].to_vec();
                if let Some(flip) = flip && (back..back + received.len()).contains(&flip) {
                    received[flip - back] ^= 1;
                    let (right, wrong) = window.check(&received);
                    prop_assert_eq!(right, flip - back);
                    prop_assert!(wrong.is_err());
                    return Ok(());
                }
                let (right, verdict) = window.check(&received);
                prop_assert_eq!(right, received.len());
                prop_assert!(verdict.is_ok());
                back += right;
            }
            prop_assert_eq!(window.owed(), taken - back);
        }
    }
}
