//! Lines of a text that is wider than the screen.

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Returns the number of columns of a text.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| usize::from(grapheme.cell_width())).sum()
}

/// Returns the beginning of a text that fits into a width.
pub(super) fn clip(text: &str, max: usize) -> &str {
    let mut used = 0;
    let end = text.grapheme_indices(true).find(|(_, grapheme)| {
        used += usize::from(grapheme.cell_width());
        used > max
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// Returns the lines of a text: the first has `first` columns, the others have `rest`. A line ends between words if it
/// can. The blanks at its end are left out.
pub(super) fn wrap(text: &str, first: usize, rest: usize) -> Vec<&str> {
    let (mut lines, mut left) = (Vec::new(), text);
    loop {
        let room = if lines.is_empty() { first } else { rest };
        let fitting = clip(left, room);
        if fitting.len() == left.len() {
            lines.push(left);
            return lines;
        }
        // The last blank, which may be the first character that does not fit.
        let next = left[fitting.len()..].graphemes(true).next().unwrap_or_default();
        let at = fitting.len() + if next == " " { next.len() } else { 0 };
        let end = match left[..at].rfind(' ').map(|blank| blank + 1) {
            Some(end) if !left[..end].trim_end().is_empty() => end,
            _ if !fitting.is_empty() => fitting.len(),
            // The first line may have no room at all.
            _ if lines.is_empty() && first < rest => 0,
            // A character that is wider than the screen.
            _ => next.len(),
        };
        let (line, tail) = left.split_at(end);
        lines.push(line.trim_end());
        left = tail;
        if left.is_empty() {
            return lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_ends_between_words_if_it_can() {
        assert_eq!(wrap("", 5, 5), [""]);
        assert_eq!(wrap("hello", 5, 5), ["hello"]);
        assert_eq!(wrap("hello world", 5, 5), ["hello", "world"]);
        assert_eq!(wrap("hello world", 8, 4), ["hello", "worl", "d"]);
        assert_eq!(wrap("a  b", 2, 2), ["a", "b"]);
        assert_eq!(wrap("abcdef", 0, 3), ["", "abc", "def"]);
    }

    #[test]
    fn a_wide_character_takes_two_columns_and_a_mark_none() {
        assert_eq!((width("\u{4f60}\u{597d}"), width("e\u{301}")), (4, 1));
        assert_eq!(wrap("\u{4f60}\u{597d}\u{4f60}", 5, 5), ["\u{4f60}\u{597d}", "\u{4f60}"]);
        assert_eq!(wrap("\u{4f60}\u{597d}", 1, 1), ["\u{4f60}", "\u{597d}"]);
        assert_eq!(clip("e\u{301}\u{4f60}", 2), "e\u{301}");
    }

    proptest! {
        #[test]
        fn every_line_fits_and_no_word_is_lost(text in "[a-c \u{4f60}\u{301}]{0,60}", first in 0_usize..20, rest in 2_usize..20) {
            let lines = wrap(&text, first, rest);
            for (at, line) in lines.iter().enumerate() {
                let room = if at == 0 { first } else { rest };
                prop_assert!(width(line) <= room.max(2), "{lines:?}");
            }
            let joined: String = lines.concat().split(' ').collect();
            prop_assert_eq!(joined, text.split(' ').collect::<String>());
        }
    }
}
