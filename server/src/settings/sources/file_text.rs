//! The text of a configuration file, and the lines and columns of its bytes.

use std::ops::Range;

use memchr::memchr_iter;

/// The text of a file.
#[derive(Clone, Copy)]
pub(super) struct FileText<'a>(pub(super) &'a str);

impl<'a> FileText<'a> {
    /// Returns the line of a byte.
    pub(super) fn line(self, at: usize) -> &'a str {
        &self.0[self.line_range(at)]
    }

    /// Returns the number of the line of a byte, from 1.
    pub(super) fn line_number(self, at: usize) -> usize {
        let before = &self.0.as_bytes()[..self.line_range(at).start];
        memchr_iter(b'\n', before).count() + 1
    }

    /// Returns the column of a byte in characters, from 1.
    pub(super) fn column(self, at: usize) -> usize {
        let Range { start, end } = self.line_range(at);
        let before =
            self.0[start..].char_indices().take_while(|(index, _)| start + index < at.min(end));
        before.count() + 1
    }

    /// Returns the range of the line of a byte. There is no line after the last newline: a byte there
    /// belongs to the line before it, where something is missing.
    fn line_range(self, at: usize) -> Range<usize> {
        let text = self.0.strip_suffix('\n').unwrap_or(self.0);
        let at = at.min(text.len());
        let start = text.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n');
        let end = text.as_bytes()[at..].iter().position(|byte| *byte == b'\n');
        start.map_or(0, |newline| newline + 1)..end.map_or(text.len(), |len| at + len)
    }
}
