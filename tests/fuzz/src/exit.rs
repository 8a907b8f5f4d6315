//! The recognition of an exit: the word alone, in any case, with any white space around it.

use common::exit::{ExitMatcher, Newline, is_exit, may_hold_exit};

use crate::reads::Reads;

/// Checks the lines of a stream, as whole lines and in pieces.
///
/// # Panics
///
/// If an exit is not recognized, or another line is.
pub fn check(input: &[u8]) {
    let Reads { stream, ranges } = Reads::from_input(input);
    let mut lines = stream.split(|&byte| byte == b'\n');
    let mut matcher = ExitMatcher::default();
    for read in ranges {
        for piece in stream[read].split_inclusive(|&byte| byte == b'\n') {
            let text = piece.strip_suffix(b"\n");
            matcher.feed(text.unwrap_or(piece));
            if text.is_some() {
                let line = lines.next().expect("each newline ends a line");
                assert_eq!(matcher.end_line(), newline_of_exit(line), "{line:?}");
            }
        }
    }
    let line = lines.next().expect("a last line, which may be empty");
    assert_eq!(matcher.end_line(), newline_of_exit(line), "{line:?}");
    assert_eq!(lines.next(), None);

    for line in stream.split(|&byte| byte == b'\n') {
        let is_expected = is_exit_line(line);
        assert_eq!(is_exit(line), is_expected, "{line:?}");
        assert!(!is_expected || (may_hold_exit(line) && may_hold_exit(stream)), "{line:?}");
    }
    assert_eq!(is_exit(stream), is_exit_line(stream));
}

fn newline_of_exit(line: &[u8]) -> Option<Newline> {
    is_exit_line(line).then(|| if line.ends_with(b"\r") { Newline::CrLf } else { Newline::Lf })
}

/// Returns true if the only word of these bytes is an exit.
pub(crate) fn is_exit_line(bytes: &[u8]) -> bool {
    let mut words =
        bytes.split(|byte| b" \t\n\x0c\r".contains(byte)).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"exit")) && words.next().is_none()
}
