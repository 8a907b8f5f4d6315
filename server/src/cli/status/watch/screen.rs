//! The screen of a terminal: what is drawn, and what a key does.

use std::{
    fmt::Write as _,
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use common::{
    cli::terminal::{Keyboard, Screen},
    escape::Escaped,
};
use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    text::Line,
};
use rustix::event::PollFlags;
use termina::{
    Event,
    event::{KeyCode, KeyEvent, KeyEventKind, Modifiers},
};

use super::{
    clock::clock,
    sampler::Sampler,
    series::Series,
    signals::{End, Signals},
    wait::wait,
};

/// Time between two screens without an answer, which show for how long there is none.
const REDRAW: Duration = Duration::from_secs(1);

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    End,
    Redraw,
    Scroll(Scroll),
}

/// Movement in lines that do not fit on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scroll {
    Up,
    Down,
    PageUp,
    PageDown,
    Start,
    End,
}

/// The first line that is drawn, and the number of lines that were drawn last.
#[derive(Clone, Copy, Debug, Default)]
struct Viewport {
    first: usize,
    height: usize,
}

/// Draws samples until the user or a signal ends it. The terminal is restored.
pub(super) fn run(series: &mut Series, sampler: &Sampler, signals: &Signals) -> io::Result<End> {
    let (mut screen, mut keyboard) = (Screen::new()?, Keyboard::default());
    let mut viewport = Viewport::default();
    let input = io::stdin();
    loop {
        screen.draw(|frame| draw_frame(frame, series, &mut viewport))?;
        let files: [(&dyn AsFd, PollFlags); 3] =
            [(signals, PollFlags::IN), (sampler, PollFlags::IN), (&input, PollFlags::IN)];
        let [has_signal, has_sample, has_keys] = wait(files, Some(REDRAW))?;
        if let Some(end) = has_signal.then(|| signals.take()).flatten() {
            return Ok(end);
        }
        if has_sample {
            for sample in sampler.take() {
                series.take(sample, Instant::now(), clock);
            }
        }
        if has_keys {
            // Without keys, the terminal is gone.
            let Some(events) = keyboard.take()? else { return Ok(End::User) };
            for action in events.iter().filter_map(action) {
                match action {
                    Action::End => return Ok(End::User),
                    Action::Redraw => screen.clear()?,
                    Action::Scroll(scroll) => viewport.scroll(scroll),
                }
            }
        }
    }
}

fn action(event: &Event) -> Option<Action> {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
    if *kind == KeyEventKind::Release {
        return None;
    }
    if modifiers.contains(Modifiers::CONTROL) {
        return match code {
            KeyCode::Char('c' | 'd') => Some(Action::End),
            KeyCode::Char('l') => Some(Action::Redraw),
            _ => None,
        };
    }
    Some(match code {
        KeyCode::Char('q' | 'Q') | KeyCode::Escape => Action::End,
        KeyCode::Up | KeyCode::Char('k') => Action::Scroll(Scroll::Up),
        KeyCode::Down | KeyCode::Char('j') => Action::Scroll(Scroll::Down),
        KeyCode::PageUp => Action::Scroll(Scroll::PageUp),
        KeyCode::PageDown | KeyCode::Char(' ') => Action::Scroll(Scroll::PageDown),
        KeyCode::Home => Action::Scroll(Scroll::Start),
        KeyCode::End => Action::Scroll(Scroll::End),
        _ => return None,
    })
}

impl Viewport {
    /// Moves. The next drawing limits the position to the lines that there are.
    fn scroll(&mut self, scroll: Scroll) {
        let page = self.height.saturating_sub(1).max(1);
        self.first = match scroll {
            Scroll::Up => self.first.saturating_sub(1),
            Scroll::Down => self.first.saturating_add(1),
            Scroll::PageUp => self.first.saturating_sub(page),
            Scroll::PageDown => self.first.saturating_add(page),
            Scroll::Start => 0,
            Scroll::End => usize::MAX,
        };
    }
}

fn draw_frame(frame: &mut Frame<'_>, series: &Series, viewport: &mut Viewport) {
    let area = frame.area();
    let text = series.text(Some(area.width.into()), Instant::now());
    let problems = series.problems().join("; ");
    draw(frame.buffer_mut(), area, &text.lines, &problems, viewport);
}

/// Draws the lines from the first one of the viewport, and a note in the last row, which has the problems wherever the
/// lines are scrolled to.
fn draw(
    buffer: &mut Buffer,
    area: Rect,
    lines: &[Line<'_>],
    problems: &str,
    viewport: &mut Viewport,
) {
    let height = area.height.saturating_sub(1);
    viewport.height = height.into();
    viewport.first = viewport.first.min(lines.len().saturating_sub(viewport.height));
    let shown = lines.iter().skip(viewport.first).take(viewport.height);
    for (row, line) in (area.y..).zip(shown) {
        buffer.set_line(area.x, row, line, area.width);
    }
    if area.height > 0 {
        let note = note(lines.len(), *viewport, problems);
        let style = Style::new().add_modifier(Modifier::REVERSED);
        buffer.set_stringn(area.x, area.y + height, note, area.width.into(), style);
    }
}

fn note(lines: usize, viewport: Viewport, problems: &str) -> String {
    let mut note = "q ends".to_owned();
    if lines > viewport.height {
        let (first, last) = (viewport.first + 1, viewport.first + viewport.height);
        let _ = write!(note, "; lines {first}-{last} of {lines}; arrows scroll");
    }
    if viewport.first > 0 && !problems.is_empty() {
        let _ = write!(note, "; {}", Escaped(problems.as_bytes()));
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lines: usize, height: u16, viewport: &mut Viewport) -> Vec<String> {
        let lines: Vec<_> =
            (1..=lines).map(|number| Line::from(format!("line {number}"))).collect();
        let area = Rect::new(0, 0, 60, height);
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, area, &lines, "not ready", viewport);
        let row = |y| (0..60).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn lines_that_do_not_fit_are_scrolled_with_a_note() {
        let mut viewport = Viewport::default();
        assert_eq!(drawn(2, 3, &mut viewport), ["line 1", "line 2", "q ends"]);
        let note = |first: usize| {
            let problems = if first > 1 { "; not ready" } else { "" };
            format!("q ends; lines {first}-{} of 5; arrows scroll{problems}", first + 1)
        };
        assert_eq!(drawn(5, 3, &mut viewport), ["line 1", "line 2", &note(1)]);
        for (scroll, first) in [
            (Scroll::Down, 2),
            (Scroll::PageDown, 3),
            (Scroll::End, 4),
            (Scroll::Down, 4),
            (Scroll::Up, 3),
            (Scroll::PageUp, 2),
            (Scroll::Start, 1),
            (Scroll::Up, 1),
        ] {
            viewport.scroll(scroll);
            assert_eq!(drawn(5, 3, &mut viewport)[2], note(first), "{scroll:?}");
        }
        // The terminal has grown, or the server has fewer listeners.
        viewport.scroll(Scroll::End);
        assert_eq!(drawn(5, 9, &mut viewport)[0], "line 1");
        for height in [0, 1] {
            assert_eq!(drawn(5, height, &mut viewport).len(), usize::from(height));
        }
    }

    #[test]
    fn q_escape_and_ctrl_c_end_and_other_keys_scroll_or_do_nothing() {
        let key = |code, modifiers| action(&Event::Key(KeyEvent::new(code, modifiers)));
        for (code, modifiers) in [
            (KeyCode::Char('q'), Modifiers::NONE),
            (KeyCode::Escape, Modifiers::NONE),
            (KeyCode::Char('c'), Modifiers::CONTROL),
        ] {
            assert_eq!(key(code, modifiers), Some(Action::End), "{code:?}");
        }
        assert_eq!(key(KeyCode::PageDown, Modifiers::NONE), Some(Action::Scroll(Scroll::PageDown)));
        assert_eq!(key(KeyCode::Char('c'), Modifiers::NONE), None);
        assert_eq!(action(&Event::Paste("q".to_owned())), None);
    }
}
