//! The `text` protocol: every byte is echoed; a line that reads `exit` ends the session.

use std::borrow::Cow;

use common::exit::{ExitMatcher, Newline, goodbye, is_exit, may_hold_exit};
use memchr::{memchr, memchr_iter, memrchr};

use super::step::{Next, Reason, Reply, Step};

/// State between two reads.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// The incomplete line.
    line: ExitMatcher,
    /// The peer has sent a newline, so an `exit` is a line. A peer that has not may send messages without
    /// newlines, as the original Python client does.
    sends_lines: bool,
    /// Number of reads before the first newline, which were counted as messages. Lines are not counted until they have made up
    /// for it: a count that was reported is not taken back.
    reads: u32,
    /// There are lines, and they have made up for all reads: the common case.
    is_settled: bool,
    /// Bytes of a line have been received, and not its newline.
    is_in_line: bool,
}

impl Text {
    /// Returns what to do with one read. A message is a line; for a peer that never sends a newline it is a read.
    #[expect(clippy::inline_always, reason = "see `Session::receive`")]
    #[inline(always)]
    pub(super) fn receive(&mut self, input: &[u8]) -> Step {
        let mut start = 0;
        let mut lines = 0_usize;
        while let Some(len) = memchr(b'\n', &input[start..]) {
            let newline = start + len;
            self.line.feed(&input[start..newline]);
            lines += 1;
            if let Some(ended_by) = self.line.end_line() {
                let messages = if self.is_settled { lines } else { self.settle(lines) };
                self.is_in_line = false;
                return exit(start, newline + 1, messages.cast_signed(), ended_by);
            }
            // The first line may begin in an earlier read, and the last may end in a later one; the lines between
            // are skipped if none of them can be an exit.
            let is_first = start == 0;
            start = newline + 1;
            if start == input.len() {
                break;
            }
            if is_first && !may_hold_exit(&input[start..]) {
                let rest = &input[start..];
                let len = memrchr(b'\n', rest).map_or(0, |last| last + 1);
                lines += memchr_iter(b'\n', &rest[..len]).count();
                start += len;
                break;
            }
        }
        let mut messages = lines;
        if !self.is_settled {
            if lines == 0 && !self.sends_lines && is_exit(input) {
                return exit(0, input.len(), 1, Newline::None);
            }
            messages = self.settle(lines);
        }
        self.is_in_line = start < input.len();
        self.line.feed(&input[start..]);
        Step::echo(input.len(), messages.cast_signed())
    }

    /// Returns the number of messages of a read with this many newlines, if reads were counted as messages.
    #[cold]
    fn settle(&mut self, lines: usize) -> usize {
        if lines == 0 && !self.sends_lines {
            self.reads = self.reads.saturating_add(1);
            return 1;
        }
        // The reads so far were the beginning of the first line.
        self.sends_lines |= lines > 0;
        let made_up = u32::try_from(lines).unwrap_or(u32::MAX).min(self.reads);
        self.reads -= made_up;
        self.is_settled = self.reads == 0;
        lines - made_up as usize
    }

    pub(super) fn unfinished_messages(&self) -> isize {
        if !self.sends_lines {
            return 0;
        }
        isize::from(self.is_in_line) - isize::try_from(self.reads).unwrap_or(isize::MAX)
    }
}

fn exit(echo: usize, consumed: usize, messages: isize, newline: Newline) -> Step {
    let bytes = Cow::Borrowed(goodbye(newline));
    let reply = Reply { bytes, next: Next::Close(Reason::Exit) };
    Step { consumed, echo, messages, reply: Some(reply) }
}

#[cfg(test)]
mod tests {
    use common::protocol::Protocol;

    use super::*;
    use crate::session::tests::run_session;

    #[track_caller]
    fn assert_exit(reads: &[&[u8]], replies: &[u8]) {
        assert_eq!(
            run_session(Protocol::Text, reads),
            (replies.to_vec(), Some(Reason::Exit)),
            "{reads:?}"
        );
    }

    #[track_caller]
    fn assert_echo(reads: &[&[u8]]) {
        assert_eq!(run_session(Protocol::Text, reads), (reads.concat(), None), "{reads:?}");
    }

    #[test]
    fn an_exit_line_is_answered_with_its_line_end() {
        assert_exit(&[b"exit\n"], b"Goodbye!\n");
        assert_exit(&[b"EXIT\r\n"], b"Goodbye!\r\n");
        assert_exit(&[b" \tExIt \n"], b"Goodbye!\n");
        assert_exit(&[b"hello\nexit\nnot echoed\n"], b"hello\nGoodbye!\n");
    }

    #[test]
    fn a_bare_exit_ends_a_client_that_never_sent_a_newline() {
        assert_exit(&[b"exit"], b"Goodbye!");
        assert_exit(&[b"Hello, Server!", b" Exit\r"], b"Hello, Server!Goodbye!");
    }

    #[test]
    fn a_bare_exit_does_not_end_a_line_client() {
        assert_echo(&[b"hello\n", b"exit"]);
        assert_echo(&[b"hello\nexit"]);
        assert_exit(&[b"hello\n", b"exit", b"\n"], b"hello\nexitGoodbye!\n");
    }

    #[test]
    fn an_exit_line_is_found_at_every_split() {
        let line = b" exit\r\nrest";
        let newline = 6;
        for first in 0..=line.len() {
            for second in first..=line.len() {
                let reads = [b"a\n", &line[..first], &line[first..second], &line[second..]];
                // Bytes that were echoed before the newline stay echoed.
                let early = [second, first].into_iter().find(|&at| at <= newline).unwrap_or(0);
                assert_exit(&reads, &[b"a\n", &line[..early], b"Goodbye!\r\n"].concat());
            }
        }
    }

    #[test]
    fn a_read_with_a_newline_has_no_bare_exit() {
        assert_echo(&[b"\nexit"]);
        assert_echo(&[b"not ", b"exit\n"]);
        assert_exit(&[b"not ", b"exit"], b"not Goodbye!");
    }

    #[test]
    fn a_bare_exit_is_a_single_read() {
        assert_echo(&[b"ex", b"it"]);
        assert_exit(&[b"ex", b"it", b"\n"], b"exitGoodbye!\n");
    }

    #[test]
    fn a_longer_line_is_not_an_exit() {
        assert_echo(&[b"exit now\n"]);
        assert_echo(&[b"no exit\n"]);
        assert_echo(&[b"exitexit\n"]);
        assert_echo(&[b"please", b"exit\n"]);
        assert_echo(&[b"exit exit"]);
    }

    #[test]
    fn a_lone_carriage_return_does_not_end_a_line() {
        assert_echo(&[b"a\rexit\rb\n"]);
        assert_exit(&[b"a\r", b"exit\r"], b"a\rGoodbye!");
    }

    #[test]
    fn a_count_of_messages_is_never_taken_back() {
        // Three reads that were counted turn out to be one line, so the next two lines are not counted again.
        let reads: [&[u8]; 6] = [b"a", b"b", b"c", b"d\n", b"e\nf\n", b"g\nh"];
        let mut text = Text::default();
        let counted = reads.map(|read| text.receive(read).messages);
        assert_eq!(counted, [1, 1, 1, 0, 0, 1]);
        // The last line has no end yet.
        assert_eq!(text.unfinished_messages(), 1);

        let mut text = Text::default();
        assert_eq!([&b"a"[..], b"b", b"c\n"].map(|read| text.receive(read).messages), [1, 1, 0]);
        assert_eq!(text.unfinished_messages(), -1, "the receipt has one message");
    }
}
