//! The lines of a screen, escaped and cut.

use common::escape::Escaped;
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use crate::cli::table::{Column, cells, cut_end, table};

/// The width of the names of fields.
const LABEL: usize = 13;

/// The indentation of a line that belongs to the one above.
const INDENTATION: usize = 4;

/// The style of a line about trouble. A pipe has no styles.
const PROBLEM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);

/// The lines of a screen. Every text that is added is escaped.
#[derive(Debug)]
pub(in crate::cli::status) struct Text {
    /// `None`: a line has any length.
    width: Option<usize>,
    pub(in crate::cli::status) lines: Vec<Line<'static>>,
}

impl Text {
    pub(in crate::cli::status) fn new(width: Option<usize>) -> Self {
        Self { width, lines: Vec::new() }
    }

    pub(super) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Adds an empty line, unless it would be the first one.
    pub(super) fn separate(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }

    pub(in crate::cli::status) fn title(&mut self, text: &str) {
        self.wrap("", 0, text, TITLE);
    }

    pub(in crate::cli::status) fn problem(&mut self, text: &str) {
        self.wrap("", 0, text, PROBLEM);
    }

    /// Adds a line with the name of a field.
    pub(super) fn field(&mut self, label: &str, text: &str) {
        self.wrap(&format!("{label:LABEL$}"), LABEL, text, Style::new());
    }

    /// Adds a line that belongs to the one above.
    pub(super) fn detail(&mut self, text: &str) {
        self.wrap(&" ".repeat(INDENTATION), INDENTATION, text, Style::new());
    }

    /// Adds a table; `details` returns what belongs to the row of an index.
    pub(super) fn table(
        &mut self,
        columns: &[Column],
        rows: &[Vec<String>],
        details: impl Fn(usize) -> Vec<String>,
    ) {
        let escaped = |cell: &String| Escaped(cell.as_bytes()).to_string();
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(escaped).collect()).collect();
        for (index, line) in table(columns, &rows, self.width).into_iter().enumerate() {
            let style = if index == 0 { TITLE } else { Style::new() };
            self.push(line, style);
            if let Some(row) = index.checked_sub(1) {
                for text in details(row) {
                    self.detail(&text);
                }
            }
        }
    }

    /// Adds a text behind a label, on as many lines as it needs: between its parts, or between the words of a long part.
    fn wrap(&mut self, label: &str, indentation: usize, text: &str, style: Style) {
        let text = Escaped(text.as_bytes()).to_string();
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(indentation));
        let parts = text.split_inclusive([',', ';']).map(str::trim);
        let pieces: Vec<&str> = parts
            .flat_map(|part| match part {
                long if cells(long) > room => long.split(' ').collect(),
                part => vec![part],
            })
            .collect();
        let mut line = label.to_owned();
        for (index, piece) in pieces.iter().enumerate() {
            // The first piece follows its label.
            let has_piece = index > 0 && !line.trim().is_empty();
            if has_piece && self.width.is_some_and(|width| cells(&line) + 1 + cells(piece) > width)
            {
                let full = std::mem::replace(&mut line, " ".repeat(indentation));
                self.push(full, style);
            } else if has_piece {
                line.push(' ');
            }
            line.push_str(piece);
        }
        self.push(line, style);
    }

    fn push(&mut self, line: String, style: Style) {
        let line = match self.width {
            Some(width) => cut_end(&line, width),
            None => line,
        };
        self.lines.push(Line::from(Span::raw(line)).style(style));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &Text) -> Vec<String> {
        text.lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_long_text_continues_under_its_beginning_and_is_never_cut_in_a_pipe() {
        let reasons = "refused 12: max-connections 10, max-connections-per-ip 2; closed 3: fin 3";
        let mut text = Text::new(Some(45));
        text.field("log", reasons);
        assert_eq!(
            lines(&text),
            [
                "log          refused 12: max-connections 10,",
                "             max-connections-per-ip 2;",
                "             closed 3: fin 3"
            ]
        );
        let mut text = Text::new(None);
        text.detail(reasons);
        assert_eq!(lines(&text), [format!("    {reasons}")]);
    }

    #[test]
    fn a_word_that_is_wider_than_the_terminal_is_cut() {
        let mut text = Text::new(Some(10));
        text.detail("abcdefghijkl m");
        assert_eq!(lines(&text), ["    abcde\u{2026}", "    m"]);
    }

    #[test]
    fn text_of_the_server_cannot_control_the_terminal() {
        let mut text = Text::new(Some(60));
        text.problem("\x1b[2J\u{202e}");
        text.table(&[Column::name("PEER")], &[vec!["a\nb\u{9b}".to_owned()]], |_| {
            vec!["\r".to_owned()]
        });
        assert_eq!(lines(&text), [r"\x1b[2J\u{202e}", "PEER", r"a\nb\u{9b}", r"    \r"]);
    }
}
