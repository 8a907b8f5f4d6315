//! Editor of one line, over the line buffer of the prompt's editor.

use std::collections::VecDeque;

use common::{escape::Escaped, room::MAX_TEXT};
use rustyline::{
    At, Word,
    line_buffer::{ChangeListener, DeleteListener, Direction, LineBuffer},
};

/// Number of lines in the history.
const MAX_HISTORY: usize = 500;

/// Change of the line or of the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Edit {
    /// Insert a text; line breaks become blanks.
    Insert(String),
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character after the cursor.
    Delete,
    /// Delete the word before the cursor.
    DeleteWord,
    /// Delete the text before the cursor.
    DeleteToStart,
    /// Delete the text after the cursor.
    DeleteToEnd,
    /// Move the cursor.
    Left,
    /// Move the cursor.
    Right,
    /// Move the cursor by a word.
    WordLeft,
    /// Move the cursor by a word.
    WordRight,
    /// Move the cursor to the start.
    Start,
    /// Move the cursor to the end.
    End,
    /// Take the previous line of the history.
    Previous,
    /// Take the next line of the history.
    Next,
}

/// Editor of a line, with its history.
#[derive(Debug)]
pub(in crate::chat) struct Editor {
    line: LineBuffer,
    history: VecDeque<String>,
    /// Line of the history that is edited.
    at: Option<usize>,
    /// What was typed before a line of the history was taken.
    draft: String,
}

/// Nobody undoes changes.
struct Ignore;

impl DeleteListener for Ignore {
    fn delete(&mut self, _: usize, _: &str, _: Direction) {}
}

impl ChangeListener for Ignore {
    fn insert_char(&mut self, _: usize, _: char) {}
    fn insert_str(&mut self, _: usize, _: &str) {}
    fn replace(&mut self, _: usize, _: &str, _: &str) {}
}

impl Editor {
    /// Creates an editor with an empty line. A line has at most the length of a message.
    pub(in crate::chat) fn new() -> Self {
        let line = LineBuffer::with_capacity(MAX_TEXT);
        Self { line, history: VecDeque::new(), at: None, draft: String::new() }
    }

    /// Returns the line.
    pub(in crate::chat) fn text(&self) -> &str {
        self.line.as_str()
    }

    /// Returns the position of the cursor, in bytes.
    pub(in crate::chat) fn cursor(&self) -> usize {
        self.line.pos()
    }

    /// Changes the line; returns `false` if the text is too long for it.
    pub(in crate::chat) fn apply(&mut self, edit: Edit) -> bool {
        let line = &mut self.line;
        match edit {
            Edit::Insert(text) => return self.insert(&text),
            Edit::Backspace => line.backspace(1, &mut Ignore),
            Edit::Delete => line.delete(1, &mut Ignore).is_some(),
            Edit::DeleteWord => line.delete_prev_word(Word::Big, 1, &mut Ignore),
            Edit::DeleteToStart => line.discard_line(&mut Ignore),
            Edit::DeleteToEnd => line.kill_line(&mut Ignore),
            Edit::Left => line.move_backward(1),
            Edit::Right => line.move_forward(1),
            Edit::WordLeft => line.move_to_prev_word(Word::Emacs, 1),
            Edit::WordRight => line.move_to_next_word(At::AfterEnd, Word::Emacs, 1),
            Edit::Start => line.move_home(),
            Edit::End => line.move_end(),
            Edit::Previous => {
                self.take_history(self.at.map_or(self.history.len(), |at| at).checked_sub(1))
            }
            Edit::Next => self.take_history(self.at.map(|at| at + 1)),
        };
        true
    }

    fn insert(&mut self, text: &str) -> bool {
        let text: String = text.chars().filter_map(printable).collect();
        text.is_empty() || self.line.yank(&text, 1, &mut Ignore).is_some()
    }

    /// Takes a line of the history, or the draft after the last one.
    fn take_history(&mut self, at: Option<usize>) -> bool {
        let Some(at) = at.filter(|&at| at <= self.history.len()) else { return false };
        if self.at.is_none() {
            self.draft = self.text().to_owned();
        }
        self.at = Some(at).filter(|&at| at < self.history.len());
        let text = self.history.get(at).unwrap_or(&self.draft).clone();
        self.set(&text);
        true
    }

    fn set(&mut self, text: &str) {
        self.line.update(text, text.len(), &mut Ignore);
    }

    /// Takes the line, which is empty afterwards, and adds it to the history.
    pub(in crate::chat) fn submit(&mut self) -> String {
        let text = self.text().to_owned();
        self.set("");
        self.at = None;
        if !text.trim().is_empty() && self.history.back() != Some(&text) {
            self.history.push_back(text.clone());
            if self.history.len() > MAX_HISTORY {
                self.history.pop_front();
            }
        }
        text
    }

    /// Completes the word before the cursor with the only candidate that begins with it, or as far as all of those agree.
    /// The case of ASCII letters does not matter.
    pub(in crate::chat) fn complete<'n>(&mut self, candidates: impl Iterator<Item = &'n str>) {
        let before = &self.text()[..self.cursor()];
        let word = &before[before.rfind(' ').map_or(0, |blank| blank + 1)..];
        let begins = |name: &&str| {
            name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        };
        let matching: Vec<&str> = candidates.filter(begins).collect();
        let (Some(first), false) = (matching.first(), word.is_empty()) else { return };
        let common = matching.iter().fold(first.len(), |common, name| {
            let pairs = first.char_indices().zip(name.chars());
            let agreed = pairs.take_while(|((_, one), other)| one.eq_ignore_ascii_case(other));
            common.min(agreed.last().map_or(0, |((at, char), _)| at + char.len_utf8()))
        });
        let end = if matching.len() == 1 { " " } else { "" };
        let completed: String =
            format!("{}{end}", &first[..common]).chars().filter_map(printable).collect();
        let head = format!("{}{completed}", &before[..before.len() - word.len()]);
        let text = format!("{head}{}", &self.text()[self.cursor()..]);
        if text.len() <= MAX_TEXT {
            self.line.update(&text, head.len(), &mut Ignore);
        }
    }
}

/// Returns the character that takes the place of a typed or pasted one; none if a screen cannot show it.
fn printable(char: char) -> Option<char> {
    if matches!(char, '\n' | '\r' | '\t') {
        return Some(' ');
    }
    let mut buffer = [0; 4];
    let text: &str = char.encode_utf8(&mut buffer);
    (Escaped(text.as_bytes()).to_string() == text).then_some(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor(text: &str) -> Editor {
        let mut editor = Editor::new();
        assert!(editor.apply(Edit::Insert(text.to_owned())));
        editor
    }

    #[test]
    fn the_cursor_moves_by_characters_as_the_user_sees_them() {
        let mut editor = editor("ae\u{301}\u{4f60}");
        for expected in [4, 1, 0, 0] {
            editor.apply(Edit::Left);
            assert_eq!(editor.cursor(), expected);
        }
        editor.apply(Edit::Right);
        editor.apply(Edit::Delete);
        assert_eq!(editor.text(), "a\u{4f60}");
    }

    #[test]
    fn words_and_the_rest_of_the_line_are_deleted() {
        let mut editor = editor("one two three");
        editor.apply(Edit::DeleteWord);
        assert_eq!(editor.text(), "one two ");
        editor.apply(Edit::WordLeft);
        editor.apply(Edit::DeleteToEnd);
        assert_eq!(editor.text(), "one ");
        editor.apply(Edit::DeleteToStart);
        assert_eq!(editor.text(), "");
    }

    #[test]
    fn the_history_keeps_the_draft() {
        let mut editor = editor("one");
        assert_eq!(editor.submit(), "one");
        editor.apply(Edit::Insert("two".to_owned()));
        editor.submit();
        editor.apply(Edit::Insert("draft".to_owned()));
        for (edit, expected) in [
            (Edit::Previous, "two"),
            (Edit::Previous, "one"),
            (Edit::Previous, "one"),
            (Edit::Next, "two"),
            (Edit::Next, "draft"),
            (Edit::Next, "draft"),
        ] {
            editor.apply(edit);
            assert_eq!(editor.text(), expected);
        }
    }

    #[test]
    fn a_paste_is_one_line_of_printable_text() {
        assert_eq!(editor("a\nb\tc\x1b[2J\u{202e}d\u{9b}").text(), "a b c[2Jd");
    }

    #[test]
    fn a_line_has_at_most_the_length_of_a_message() {
        let mut editor = editor(&"x".repeat(MAX_TEXT - 1));
        assert!(!editor.apply(Edit::Insert("\u{e9}".to_owned())));
        assert!(editor.apply(Edit::Insert("x".to_owned())));
        assert!(!editor.apply(Edit::Insert("x".to_owned())));
        assert_eq!(editor.text().len(), MAX_TEXT);
    }

    #[test]
    fn a_word_is_completed_as_far_as_the_candidates_agree() {
        let names = ["Alice", "alfred", "bob"];
        for (typed, expected) in [
            ("b", "bob "),
            ("hi al", "hi Al"),
            ("x", "x"),
            ("", ""),
            ("BO", "bob "),
            ("hi ", "hi "),
        ] {
            let mut editor = editor(typed);
            editor.complete(names.into_iter());
            assert_eq!(editor.text(), expected);
        }
    }
}
