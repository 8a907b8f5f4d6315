//! What reads as `exit`, and the goodbye that answers it.
//!
//! An exit is the word in any case with any ASCII white space around it: as a whole line of a
//! stream that comes in pieces ([`ExitMatcher`]), or as one run of bytes ([`is_exit`]).

use memchr::memchr2;

use crate::protocol::EXIT;

/// The newline that ended a line; a goodbye ends as the exit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newline {
    /// The bytes ended without one.
    None,
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
}

/// The goodbye for an exit that ended with `newline`.
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

/// Whether these bytes, all of them, read as an exit.
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

/// Whether these bytes may have an exit, a whole one, somewhere in them. `false` is certain, `true` is
/// not: this is for passing over what holds none, at far less cost than looking at every line.
///
/// ```
/// use common::exit::may_hold_exit;
/// assert!(may_hold_exit(b"one\nEXIT\n"));
/// assert!(!may_hold_exit(b"one\ntwo\n"));
/// ```
#[must_use]
pub fn may_hold_exit(bytes: &[u8]) -> bool {
    let has = |letter: u8| memchr2(letter, letter.to_ascii_uppercase(), bytes).is_some();
    // The rarer two letters of the word.
    has(b'x') && has(b'i')
}

/// Recognises a line that reads as an exit, however it is split over reads.
///
/// Feed it the bytes of a line as they come, without the `\n`; ask it when the `\n` has come.
/// It keeps one byte of state, whatever the length of the line.
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
    /// Nothing but white space so far.
    #[default]
    Blank,
    /// The first letters of the word, this many.
    Word(u8),
    /// The whole word, then nothing but white space; whether the last byte was a `\r`.
    Exit { cr: bool },
    /// Not an exit, whatever else comes on this line.
    Other,
}

impl ExitMatcher {
    /// Takes more bytes of the current line; there must be no `\n` among them.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.0 == State::Other {
                return;
            }
            self.0 = self.0.after(byte);
        }
    }

    /// The line's `\n` has come: if the line was an exit, says what newline it ended with.
    /// Whatever it was, the next byte fed begins a new line.
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

    /// Feeds `line` (without its `\n`) in the two pieces that a split at `at` makes.
    fn matched(line: &[u8], at: usize) -> Option<Newline> {
        let mut matcher = ExitMatcher::default();
        matcher.feed(&line[..at]);
        matcher.feed(&line[at..]);
        matcher.end_line()
    }

    #[test]
    fn every_case_of_the_word_at_every_split() {
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
    fn white_space_around_it_and_the_newline_it_had() {
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
    fn what_only_contains_it_is_not_one() {
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
    fn a_line_does_not_colour_the_next() {
        let mut matcher = ExitMatcher::default();
        matcher.feed(b"no");
        assert_eq!(matcher.end_line(), None);
        matcher.feed(b"exit\r");
        assert_eq!(matcher.end_line(), Some(Newline::CrLf));
        assert_eq!(matcher.end_line(), None);
    }

    proptest! {
        /// The piecewise matcher and the whole-slice test are one rule.
        #[test]
        fn matcher_agrees_with_is_exit(line in "[ \t\r]{0,3}([exitEXIT ]{0,6}|[eE][xX][iI][tT])[ \t\r]{0,3}", at in 0_usize..12) {
            let line = line.as_bytes();
            prop_assert_eq!(matched(line, at.min(line.len())).is_some(), is_exit(line));
        }
    }
}
