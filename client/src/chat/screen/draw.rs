//! The whole screen.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use ratatui::{
    Frame,
    buffer::{Buffer, CellWidth as _},
    layout::{Position, Rect},
    text::Line,
};
use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    rows::{Appearance, marker},
    status,
    viewport::{Bottom, Rows, Viewport},
    wrap::width,
};
use crate::chat::model::{conversation::Conversation, scrollback::Entry};

const PROMPT: &str = "> ";

/// Rows below the conversation: the status bar and the input.
const CHROME: u16 = 2;

/// Line that the user types.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct TypedLine<'a> {
    /// The line.
    pub(in crate::chat) text: &'a str,
    /// Position of the cursor in it, in bytes.
    pub(in crate::chat) cursor: usize,
}

/// Movement in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Scroll {
    /// By rows, up.
    Up(usize),
    /// By rows, down.
    Down(usize),
    /// By a screen, up.
    PageUp,
    /// By a screen, down.
    PageDown,
    /// To the oldest entry.
    Start,
    /// To the newest entry.
    End,
}

/// What the user sees of a conversation.
#[derive(Debug)]
pub(in crate::chat) struct View {
    viewport: Viewport,
    appearance: Appearance,
    /// Rows of the conversation when it was drawn last.
    height: usize,
    /// Server, for the status bar.
    server: String,
}

impl View {
    /// Creates a view in this time zone.
    pub(in crate::chat) fn new(server: &str, shows_numbers: bool, zone: TimeZone) -> Self {
        let appearance = Appearance { width: 0, shows_numbers, zone };
        Self { viewport: Viewport::default(), appearance, height: 0, server: server.to_owned() }
    }

    /// Sets whether the number of each event is shown.
    pub(in crate::chat) fn show_numbers(&mut self, shows_numbers: bool) {
        self.appearance.shows_numbers = shows_numbers;
    }

    /// Returns `true` if new entries are visible as they arrive.
    pub(in crate::chat) fn is_following(&self) -> bool {
        self.viewport.is_following()
    }

    /// Moves in the conversation.
    pub(in crate::chat) fn scroll(&mut self, scroll: Scroll, conversation: &Conversation) {
        let Self { viewport, appearance, height, .. } = self;
        with_rows(conversation, appearance, *height, |rows| {
            let page = rows.height.saturating_sub(1).max(1);
            match scroll {
                Scroll::Up(count) => viewport.scroll_up(count, rows),
                Scroll::Down(count) => viewport.scroll_down(count, rows),
                Scroll::PageUp => viewport.scroll_up(page, rows),
                Scroll::PageDown => viewport.scroll_down(page, rows),
                Scroll::Start => viewport.scroll_to_start(rows),
                Scroll::End => viewport.follow(),
            }
        });
    }

    /// Draws the screen.
    pub(in crate::chat) fn draw(
        &mut self,
        frame: &mut Frame<'_>,
        conversation: &Conversation,
        typed: TypedLine<'_>,
    ) {
        let area = frame.area();
        self.appearance.width = area.width.into();
        self.height = area.height.saturating_sub(CHROME).into();
        let buffer = frame.buffer_mut();
        for (row, line) in (0..).zip(self.visible(conversation)) {
            buffer.set_line(area.x, area.y + row, &line, area.width);
        }
        let columns = usize::from(area.width);
        if area.height >= CHROME {
            let is_following = self.viewport.is_following();
            let bar = status::bar(conversation, &self.server, is_following, columns);
            buffer.set_line(area.x, area.bottom() - CHROME, &bar, area.width);
        }
        if area.height > 0 {
            let row = Rect { y: area.bottom() - 1, height: 1, ..area };
            let cursor = draw_input(buffer, row, typed);
            frame.set_cursor_position(cursor);
        }
    }

    /// Returns the visible rows; the newest one is at the bottom of the screen only if they fill it.
    fn visible<'c>(&self, conversation: &'c Conversation) -> VecDeque<Line<'c>> {
        let mut lines = VecDeque::with_capacity(self.height);
        let bottom = with_rows(conversation, &self.appearance, self.height, |rows| {
            self.viewport.bottom(rows)
        });
        let Some(Bottom { mut entry, mut hidden }) = bottom else { return lines };
        while lines.len() < self.height {
            let rows = rows(conversation, &self.appearance, entry);
            for line in rows.into_iter().rev().skip(hidden).take(self.height - lines.len()) {
                lines.push_front(line);
            }
            hidden = 0;
            if entry == conversation.scrollback().start() {
                break;
            }
            entry -= 1;
        }
        lines
    }
}

/// Calls `use_rows` with the rows of a conversation.
fn with_rows<T>(
    conversation: &Conversation,
    appearance: &Appearance,
    height: usize,
    use_rows: impl FnOnce(&Rows<'_>) -> T,
) -> T {
    let (start, end) = (conversation.scrollback().start(), conversation.scrollback().end());
    let of = |entry| rows(conversation, appearance, entry).len().max(1);
    use_rows(&Rows { start, end, height, of: &of })
}

/// Returns the rows of an entry, with the marker before the first one that the user has not seen.
fn rows<'c>(
    conversation: &'c Conversation,
    appearance: &Appearance,
    identity: u64,
) -> Vec<Line<'c>> {
    let entry: Option<&Entry> = conversation.scrollback().get(identity);
    let mut rows = entry.map(|entry| appearance.rows(entry)).unwrap_or_default();
    if conversation.marker() == Some(identity) {
        rows.insert(0, marker(appearance.width));
    }
    rows
}

/// Draws the line that the user types, of which the part around the cursor is visible; returns where the cursor is.
fn draw_input(buffer: &mut Buffer, area: Rect, typed: TypedLine<'_>) -> Position {
    let (x, _) =
        buffer.set_stringn(area.x, area.y, PROMPT, area.width.into(), ratatui::style::Style::new());
    let columns = usize::from(area.right().saturating_sub(x));
    let before = &typed.text[..typed.cursor];
    let mut used = width(before);
    let mut start = 0;
    for (at, grapheme) in before.grapheme_indices(true) {
        if used < columns.max(1) {
            break;
        }
        used -= usize::from(grapheme.cell_width());
        start = at + grapheme.len();
    }
    buffer.set_stringn(x, area.y, &typed.text[start..], columns, ratatui::style::Style::new());
    let last = area.right().saturating_sub(1);
    Position::new((x + u16::try_from(used).unwrap_or(u16::MAX)).min(last), area.y)
}
