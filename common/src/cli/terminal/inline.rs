//! Rows at the end of the output of a terminal, which are drawn again in their place.
//!
//! The terminal keeps its mode, so Ctrl+C is a signal, and nothing has to be restored. `ratatui` has such rows too, but asks the
//! terminal where its cursor is, on standard output, which may be a pipe.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Stderr, Write},
};

use ratatui::{
    backend::IntoCrossterm as _,
    buffer::{Buffer, CellWidth as _},
    crossterm::style::{ResetColor, SetForegroundColor},
    layout::{Rect, Size},
    style::Color,
};
use rustix::termios::tcgetwinsize;

use crate::cli::{
    color::has_color,
    stdio::{BlockingIo, stderr},
};

/// Control sequences (ECMA-48): EL and ED.
const ERASE_TO_END_OF_LINE: &str = "\x1b[K";
const ERASE_BELOW: &str = "\x1b[J";

/// Rows at the end of the output of a terminal.
#[derive(Debug)]
pub struct InlineArea<W = BlockingIo<Stderr>> {
    output: W,
    has_color: bool,
    /// Number of columns of each row that has been drawn.
    drawn: Vec<usize>,
}

impl InlineArea {
    /// Returns rows on standard error, or `None` if that is no terminal.
    #[must_use]
    pub fn on_stderr() -> Option<Self> {
        let is_terminal = io::stderr().is_terminal();
        is_terminal.then(|| Self { output: stderr(), has_color: has_color(), drawn: Vec::new() })
    }

    /// Returns the size of the terminal; zero if it does not report one.
    #[must_use]
    pub fn terminal_size(&self) -> Size {
        tcgetwinsize(&self.output)
            .map_or(Size::ZERO, |size| Size { width: size.ws_col, height: size.ws_row })
    }
}

impl<W: Write> InlineArea<W> {
    /// Draws a buffer in the place of the rows that were drawn last. `columns` is the current width of the terminal, which has wrapped
    /// these rows if it has become narrower.
    ///
    /// # Errors
    ///
    /// The terminal cannot be used.
    pub fn draw(&mut self, buffer: &Buffer, columns: u16) -> io::Result<()> {
        let mut text = self.move_to_start(columns);
        self.drawn.clear();
        for y in buffer.area.top()..buffer.area.bottom() {
            self.drawn.push(push_row(&mut text, buffer, y, self.has_color));
            text.push_str(ERASE_TO_END_OF_LINE);
            text.push_str("\r\n");
        }
        // Not at the start: some terminals keep a copy of a screen that is erased as a whole.
        text.push_str(ERASE_BELOW);
        self.write(&text)
    }

    /// Removes the rows.
    ///
    /// # Errors
    ///
    /// The terminal cannot be used.
    pub fn clear(&mut self, columns: u16) -> io::Result<()> {
        let text = self.move_to_start(columns) + ERASE_BELOW;
        self.drawn.clear();
        self.write(&text)
    }

    /// Returns what moves the cursor to the start of the first row.
    fn move_to_start(&self, columns: u16) -> String {
        let columns = usize::from(columns).max(1);
        match self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum::<usize>() {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\r"),
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }
}

/// Appends a row without the blanks at its end; returns its number of columns.
fn push_row(text: &mut String, buffer: &Buffer, y: u16, has_color: bool) -> usize {
    let Rect { x: left, width, .. } = buffer.area;
    let is_blank = |x: &u16| buffer[(left + x, y)].symbol().trim().is_empty();
    let end = (0..width).rev().find(|x| !is_blank(x)).map_or(0, |last| last + 1);
    let (mut color, mut x) = (Color::Reset, 0);
    while x < end {
        let cell = &buffer[(left + x, y)];
        if has_color && cell.fg != color {
            color = cell.fg;
            let _ = write!(text, "{}", SetForegroundColor(color.into_crossterm()));
        }
        text.push_str(cell.symbol());
        x += cell.cell_width().max(1);
    }
    if color != Color::Reset {
        let _ = write!(text, "{ResetColor}");
    }
    x.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    fn area(has_color: bool) -> InlineArea<Vec<u8>> {
        InlineArea { output: Vec::new(), has_color, drawn: Vec::new() }
    }

    fn drawn(area: &mut InlineArea<Vec<u8>>, rows: &[&str], columns: u16) -> String {
        area.draw(&Buffer::with_lines(rows.iter().copied()), columns).unwrap();
        String::from_utf8(std::mem::take(&mut area.output)).unwrap()
    }

    #[test]
    fn rows_are_drawn_in_the_place_of_the_last_ones() {
        let mut area = area(true);
        assert_eq!(
            drawn(&mut area, &["ab  ", "", "c"], 10),
            "ab\x1b[K\r\n\x1b[K\r\nc\x1b[K\r\n\x1b[J"
        );
        assert_eq!(drawn(&mut area, &["d"], 10), "\x1b[3A\rd\x1b[K\r\n\x1b[J");
        area.clear(10).unwrap();
        assert_eq!(std::mem::take(&mut area.output), b"\x1b[1A\r\x1b[J");
        assert_eq!(drawn(&mut area, &["e"], 10), "e\x1b[K\r\n\x1b[J");
    }

    /// A terminal that becomes narrower wraps the rows.
    #[test]
    fn rows_that_the_terminal_has_wrapped_are_replaced_as_a_whole() {
        let mut area = area(true);
        drawn(&mut area, &["0123456789", "0123", ""], 10);
        assert!(drawn(&mut area, &["0123"], 4).starts_with("\x1b[5A\r"));
        assert!(drawn(&mut area, &["wider"], 20).starts_with("\x1b[1A\r"));
    }

    #[test]
    fn colors_end_with_their_row_and_are_left_out_on_request() {
        let mut buffer = Buffer::with_lines(["ab\u{4e16}"]);
        buffer.set_style(Rect::new(1, 0, 3, 1), Style::new().fg(Color::Red));
        let mut area = area(false);
        area.draw(&buffer, 80).unwrap();
        assert_eq!(area.output, "ab\u{4e16}\x1b[K\r\n\x1b[J".as_bytes());
        let mut area = self::area(true);
        area.draw(&buffer, 80).unwrap();
        let drawn = String::from_utf8(area.output).unwrap();
        // The code of the color is a choice of `crossterm`.
        let (start, end) = (drawn.find("\x1b[").unwrap(), drawn.rfind("\x1b[0m\x1b[K").unwrap());
        assert!(start == 1 && end == drawn.find('\u{4e16}').unwrap() + 3, "{drawn:?}");
    }
}
