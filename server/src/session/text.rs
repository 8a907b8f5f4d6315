//! The `text` protocol: every byte goes back as it comes; a line that reads `exit` is the end.

use std::borrow::Cow;

use common::exit::{ExitMatcher, Newline, goodbye, is_exit, may_hold_exit};
use memchr::{memchr, memrchr};

use super::{End, Outcome, Reason};

/// What has to be remembered from one read to the next.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// The line that has begun and not ended.
    line: ExitMatcher,
    /// Whether the peer has ever sent a newline. Then an `exit` is a line; until then the peer may
    /// be one that sends its messages bare, as the original's clients do.
    line_client: bool,
}

impl Text {
    pub(super) fn receive(&mut self, input: &[u8]) -> Outcome {
        let mut start = 0;
        while let Some(len) = memchr(b'\n', &input[start..]) {
            let newline = start + len;
            self.line.feed(&input[start..newline]);
            if let Some(ended_by) = self.line.end_line() {
                return exit(start, newline + 1, ended_by);
            }
            // The first line may have begun in an earlier read, the last may end in a later one; those
            // between them need not be looked at one by one if none can be an exit.
            let is_first = start == 0;
            start = newline + 1;
            if start == input.len() {
                break;
            }
            if is_first && !may_hold_exit(&input[start..]) {
                start += memrchr(b'\n', &input[start..]).map_or(0, |last| last + 1);
                break;
            }
        }
        self.line_client |= start > 0;
        if !self.line_client && is_exit(input) {
            return exit(0, input.len(), Newline::None);
        }
        self.line.feed(&input[start..]);
        Outcome::echo(input.len())
    }
}

fn exit(echo: usize, consumed: usize, newline: Newline) -> Outcome {
    let end = End { reason: Reason::Exit, reply: Cow::Borrowed(goodbye(newline)) };
    Outcome { echo, consumed, end: Some(end) }
}

#[cfg(test)]
mod tests {
    use common::protocol::Protocol;

    use super::*;
    use crate::session::tests::converse;

    #[track_caller]
    fn leaves(reads: &[&[u8]], replies: &[u8]) {
        assert_eq!(
            converse(Protocol::Text, reads),
            (replies.to_vec(), Some(Reason::Exit)),
            "{reads:?}"
        );
    }

    #[track_caller]
    fn stays(reads: &[&[u8]]) {
        assert_eq!(converse(Protocol::Text, reads), (reads.concat(), None), "{reads:?}");
    }

    #[test]
    fn a_line_that_reads_exit_is_answered_as_it_ended() {
        leaves(&[b"exit\n"], b"Goodbye!\n");
        leaves(&[b"EXIT\r\n"], b"Goodbye!\r\n");
        leaves(&[b" \tExIt \n"], b"Goodbye!\n");
        leaves(&[b"hello\nexit\nnot echoed\n"], b"hello\nGoodbye!\n");
    }

    #[test]
    fn a_bare_exit_ends_a_client_that_never_sent_a_newline() {
        leaves(&[b"exit"], b"Goodbye!");
        leaves(&[b"Hello, Server!", b" Exit\r"], b"Hello, Server!Goodbye!");
    }

    #[test]
    fn a_bare_exit_does_not_end_a_line_client() {
        stays(&[b"hello\n", b"exit"]);
        stays(&[b"hello\nexit"]);
        leaves(&[b"hello\n", b"exit", b"\n"], b"hello\nexitGoodbye!\n");
    }

    #[test]
    fn an_exit_line_is_found_however_it_is_split() {
        let line = b" exit\r\nrest";
        let newline = 6;
        for first in 0..=line.len() {
            for second in first..=line.len() {
                let reads = [b"a\n", &line[..first], &line[first..second], &line[second..]];
                // What had gone back before the newline came is not taken back.
                let early = [second, first].into_iter().find(|&at| at <= newline).unwrap_or(0);
                leaves(&reads, &[b"a\n", &line[..early], b"Goodbye!\r\n"].concat());
            }
        }
    }

    #[test]
    fn a_read_with_a_newline_in_it_holds_no_bare_exit() {
        stays(&[b"\nexit"]);
        stays(&[b"not ", b"exit\n"]);
        leaves(&[b"not ", b"exit"], b"not Goodbye!");
    }

    #[test]
    fn a_bare_exit_is_one_read_not_two() {
        stays(&[b"ex", b"it"]);
        leaves(&[b"ex", b"it", b"\n"], b"exitGoodbye!\n");
    }

    #[test]
    fn a_longer_line_is_no_exit() {
        stays(&[b"exit now\n"]);
        stays(&[b"no exit\n"]);
        stays(&[b"exitexit\n"]);
        stays(&[b"please", b"exit\n"]);
        stays(&[b"exit exit"]);
    }

    #[test]
    fn lone_carriage_returns_end_no_line() {
        stays(&[b"a\rexit\rb\n"]);
        leaves(&[b"a\r", b"exit\r"], b"a\rGoodbye!");
    }
}
