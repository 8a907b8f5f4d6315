//! The rule that recognizes `exit`, and the goodbye that answers it.
//!
//! An exit is the word `exit` in any case, with any ASCII white space around it. [`ExitMatcher`] recognizes
//! it as a line of a stream that arrives in pieces, [`is_exit`] as a complete slice.

use memchr::memchr2;

use crate::protocol::EXIT;

/// Newline at the end of an exit. The goodbye ends with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newline {
    /// No newline.
    None,
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
}

/// Returns the goodbye for an exit that ended with `newline`.
///
/// ```
/// use common::exit::{Newline, goodbye};
/// assert_eq!(goodbye(Newline::CrLf), b"Goodbye!\r\n");
/// ```
#[must_use]
pub const fn goodbye(newline: Newline) -> &'static [u8] {
    match newline {
        Newline::None => b"Goodbye!",
        Newline::Lf => b"Goodbye!\n",
        Newline::CrLf => b"Goodbye!\r\n",
    }
}

/// Returns true if the whole slice is an exit.
///
/// ```
/// use common::exit::is_exit;
/// assert!(is_exit(b"exit"));
/// assert!(is_exit(b" \tEXIT\r\n"));
/// assert!(!is_exit(b"exit now"));
/// ```
#[must_use]
pub fn is_exit(bytes: &[u8]) -> bool {
    bytes.trim_ascii().eq_ignore_ascii_case(EXIT.as_bytes())
}

/// Returns false if no part of the slice can be a complete exit. A result of true proves nothing: this test
/// skips most input at far less cost than a check of every line.
///
/// ```
/// use common::exit::may_hold_exit;
/// assert!(may_hold_exit(b"one\nEXIT\n"));
/// assert!(!may_hold_exit(b"one\ntwo\n"));
/// ```
#[must_use]
pub fn may_hold_exit(bytes: &[u8]) -> bool {
    let has = |letter: u8| memchr2(letter, letter.to_ascii_uppercase(), bytes).is_some();
    // These two letters of the word are the rarest in text.
    has(b'x') && has(b'i')
}

/// Recognizes a line that is an exit, in any number of pieces.
///
/// Call [`feed`](Self::feed) with the bytes of a line, without the `\n`, and [`end_line`](Self::end_line) at
/// the `\n`. The state has a fixed size, whatever the length of the line.
///
/// ```
/// use common::exit::{ExitMatcher, Newline};
/// let mut line = ExitMatcher::default();
/// line.feed(b" Ex");
/// line.feed(b"it\r");
/// assert_eq!(line.end_line(), Some(Newline::CrLf));
/// line.feed(b"exit stage left");
/// assert_eq!(line.end_line(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitMatcher(State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The line is empty, or only white space so far.
    #[default]
    Blank,
    /// The line holds this many of the first letters of the word.
    Word(u8),
    /// The line holds the word, and only white space after it. `cr`: the last byte is a `\r`.
    Exit { cr: bool },
    /// The line is not an exit.
    Other,
}

impl ExitMatcher {
    /// Consumes bytes of the current line. They must not contain `\n`.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.0 == State::Other {
                return;
            }
            self.0 = self.0.after(byte);
        }
    }

    /// Ends the current line at its `\n`, and starts the next one. Returns the newline of the ended line if it
    /// is an exit.
    pub fn end_line(&mut self) -> Option<Newline> {
        match std::mem::take(&mut self.0) {
            State::Exit { cr: true } => Some(Newline::CrLf),
            State::Exit { cr: false } => Some(Newline::Lf),
            State::Blank | State::Word(_) | State::Other => None,
        }
    }
}

impl State {
    fn after(self, byte: u8) -> Self {
        let word = EXIT.as_bytes();
        let matched = match self {
            Self::Blank if byte.is_ascii_whitespace() => return Self::Blank,
            Self::Exit { .. } if byte.is_ascii_whitespace() => {
                return Self::Exit { cr: byte == b'\r' };
            }
            Self::Blank => 0,
            Self::Word(matched) => matched,
            Self::Exit { .. } | Self::Other => return Self::Other,
        };
        if !byte.eq_ignore_ascii_case(&word[usize::from(matched)]) {
            Self::Other
        } else if usize::from(matched) + 1 == word.len() {
            Self::Exit { cr: false }
        } else {
            Self::Word(matched + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `line`, without its `\n`, in two pieces that are split at `at`.
    fn matched(line: &[u8], at: usize) -> Option<Newline> {
        let mut matcher = ExitMatcher::default();
        matcher.feed(&line[..at]);
        matcher.feed(&line[at..]);
        matcher.end_line()
    }

    #[test]
    fn recognizes_the_word_in_every_case_at_every_split() {
        for mask in 0..16_u8 {
            let word: Vec<u8> = EXIT
                .bytes()
                .enumerate()
                .map(
                    |(i, byte)| if mask & (1 << i) == 0 { byte } else { byte.to_ascii_uppercase() },
                )
                .collect();
            for at in 0..=word.len() {
                assert_eq!(matched(&word, at), Some(Newline::Lf));
            }
        }
    }

    #[test]
    fn allows_white_space_around_the_word_and_returns_the_newline() {
        for (line, newline) in [
            (&b" exit"[..], Newline::Lf),
            (b"\t exit \x0c", Newline::Lf),
            (b"exit\r", Newline::CrLf),
            (b"\r\rexit \r\r", Newline::CrLf),
            (b"exit\r ", Newline::Lf),
        ] {
            for at in 0..=line.len() {
                assert_eq!(matched(line, at), Some(newline), "{line:?} split at {at}");
            }
        }
    }

    #[test]
    fn rejects_a_line_that_only_contains_the_word() {
        for line in [
            &b""[..],
            b" ",
            b"exi",
            b"exits",
            b"eexit",
            b"ex it",
            b"exit exit",
            b"exit\0",
            b"\xffexit",
        ] {
            for at in 0..=line.len() {
                assert_eq!(matched(line, at), None, "{line:?} split at {at}");
            }
        }
    }

    #[test]
    fn starts_every_line_with_a_clean_state() {
        let mut matcher = ExitMatcher::default();
        matcher.feed(b"no");
        assert_eq!(matcher.end_line(), None);
        matcher.feed(b"exit\r");
        assert_eq!(matcher.end_line(), Some(Newline::CrLf));
        assert_eq!(matcher.end_line(), None);
    }

    proptest! {
        /// Both functions implement the same rule.
        #[test]
        fn the_matcher_agrees_with_is_exit(line in "[ \t\r]{0,3}([exitEXIT ]{0,6}|[eE][xX][iI][tT])[ \t\r]{0,3}", at in 0_usize..12) {
            let line = line.as_bytes();
            prop_assert_eq!(matched(line, at.min(line.len())).is_some(), is_exit(line));
        }
    }
}
