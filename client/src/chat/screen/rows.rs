//! Rows of an entry.

use jiff::{Timestamp, tz::TimeZone};
use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use super::wrap::{clip, width, wrap};
use crate::chat::model::scrollback::{Content, Entry};

/// Width from which the time is shown.
const TIME_FROM: usize = 40;

/// Columns of a name that are shown.
const MAX_NAME: usize = 40;

/// Colours of names: those that are readable on black and on white.
const COLOURS: [Color; 6] =
    [Color::Cyan, Color::Green, Color::Magenta, Color::Blue, Color::Yellow, Color::LightMagenta];

/// What is shown of each entry.
#[derive(Clone, Debug)]
pub(super) struct Appearance {
    /// Columns of the screen.
    pub(super) width: usize,
    /// The number of each event is shown.
    pub(super) shows_numbers: bool,
    /// Time zone of the user.
    pub(super) zone: TimeZone,
}

impl Appearance {
    /// Returns the rows of an entry, at least one.
    pub(super) fn rows<'e>(&self, entry: &'e Entry) -> Vec<Line<'e>> {
        let mut start = Vec::new();
        let dim = Style::new().add_modifier(Modifier::DIM);
        let mut indent = 0;
        if self.width >= TIME_FROM {
            start.push(Span::styled(self.time(entry.time), dim));
            indent = width(&start[0].content);
        }
        if let Some(number) = entry.number.filter(|_| self.shows_numbers) {
            start.push(Span::styled(format!("{number} "), dim));
        }
        let (text, style) = match &entry.content {
            Content::Message { name, text, is_replayed } => {
                let style = Style::new().fg(colour(name)).add_modifier(Modifier::BOLD);
                start.push(Span::styled(clip(name, MAX_NAME), style));
                start.push(Span::raw(": "));
                (text, if *is_replayed { dim } else { Style::new() })
            }
            Content::Notice(text) => {
                start.push(Span::styled("* ", dim));
                (text, dim)
            }
            Content::Error(text) => {
                start.push(Span::styled("! ", Color::Red));
                (text, Color::Red.into())
            }
            Content::Fault(text) => {
                let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
                start.push(Span::styled("! ", style));
                (text, style)
            }
        };
        self.join(start, text, style, indent)
    }

    /// Puts a text behind the start of its first row.
    fn join<'e>(
        &self,
        start: Vec<Span<'e>>,
        text: &'e str,
        style: Style,
        indent: usize,
    ) -> Vec<Line<'e>> {
        let used: usize = start.iter().map(|span| width(&span.content)).sum();
        let rest = self.width.saturating_sub(indent).max(2);
        let mut pieces = wrap(text, self.width.saturating_sub(used), rest).into_iter();
        let mut first = Line::from(start);
        first.push_span(Span::styled(pieces.next().unwrap_or_default(), style));
        let others = pieces.map(|piece| {
            Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(piece, style)])
        });
        std::iter::once(first).chain(others).collect()
    }

    fn time(&self, time: u64) -> String {
        let time = i64::try_from(time).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let zoned = time.unwrap_or_default().to_zoned(self.zone.clone());
        zoned.strftime("%H:%M ").to_string()
    }
}

/// Returns the row before the first message that the user has not seen.
pub(super) fn marker(width: usize) -> Line<'static> {
    const TEXT: &str = "-- new messages ";
    let text = format!("{TEXT}{}", "-".repeat(width.saturating_sub(TEXT.len())));
    Line::styled(text, Style::new().fg(Color::Yellow))
}

/// Returns the colour of a name: the same at every time, on every screen.
fn colour(name: &str) -> Color {
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    COLOURS[usize::try_from(hash % COLOURS.len() as u64).unwrap_or_default()]
}
