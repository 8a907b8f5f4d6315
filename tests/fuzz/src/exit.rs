//! What reads as an exit: the word alone, in any case, with any white space around it.

use common::exit::{ExitMatcher, Newline, is_exit, may_hold_exit};

use crate::reads::Reads;

/// The lines of a stream, judged whole, as they come and from afar.
///
/// # Panics
///
/// If an exit is missed, or one is seen where there is none.
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
        let is_one = reads_exit(line);
        assert_eq!(is_exit(line), is_one, "{line:?}");
        assert!(!is_one || (may_hold_exit(line) && may_hold_exit(stream)), "{line:?}");
    }
    assert_eq!(is_exit(stream), reads_exit(stream));
}

fn newline_of_exit(line: &[u8]) -> Option<Newline> {
    reads_exit(line).then(|| if line.ends_with(b"\r") { Newline::CrLf } else { Newline::Lf })
}

/// Whether the bytes have one word, and which.
pub(crate) fn reads_exit(bytes: &[u8]) -> bool {
    let mut words =
        bytes.split(|byte| b" \t\n\x0c\r".contains(byte)).filter(|word| !word.is_empty());
    words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"exit")) && words.next().is_none()
}
