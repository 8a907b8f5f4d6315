//! Chart of a load that runs, on standard error.

use common::cli::terminal::{InlineArea, is_plain_terminal};
use ratatui::{
    buffer::Buffer,
    layout::{Rect, Size},
    widgets::Widget as _,
};

use super::{
    chart::Chart,
    timeline::{LatencyCache, Timeline},
};
use crate::load::{coordinator::process_pool::Outcome, stats::format::count};

/// Maximum number of rows: the output above stays in sight.
const MAX_ROWS: u16 = 20;

/// Chart on a terminal.
#[derive(Debug)]
pub(super) struct LiveChart {
    area: InlineArea,
    /// It stays at the end, if it has anything to show.
    stays: bool,
    has_timeline: bool,
    cache: LatencyCache,
}

impl LiveChart {
    /// Returns a chart; `None` if standard error is no terminal, or one that cannot move its cursor.
    pub(super) fn new(stays: bool) -> Option<Self> {
        let area = InlineArea::on_stderr().filter(|_| !is_plain_terminal())?;
        Some(Self { area, stays, has_timeline: false, cache: LatencyCache::default() })
    }

    /// Draws the line of progress, and below it the time series of the load.
    pub(super) fn show(&mut self, line: &str, outcome: &Outcome) {
        let timeline = Timeline::new(&outcome.series, outcome.measured, &mut self.cache);
        let terminal = self.area.terminal_size();
        self.has_timeline = !timeline.is_empty();
        let channels = if outcome.stats.datagrams.sent > 0 { "sockets" } else { "connections" };
        let connections =
            timeline.last_connections().map(|it| format!("   {channels} {}", count(it)));
        let line = format!("{line}{}", connections.unwrap_or_default());
        // A failure to draw does not end the load.
        let _ = self.area.draw(&draw(&line, &timeline, terminal), terminal.width);
    }

    /// Ends the chart: the next output is below it, or in its place.
    pub(super) fn finish(&mut self) {
        if !self.stays || !self.has_timeline {
            let _ = self.area.clear(self.area.terminal_size().width);
        }
    }
}

/// Draws what fits into a terminal. The last row is that of the cursor, and the last column stays free: a terminal may erase the
/// character there with the rest of the row.
fn draw(line: &str, timeline: &Timeline, terminal: Size) -> Buffer {
    let (width, height) = (terminal.width.saturating_sub(1), terminal.height.saturating_sub(1));
    let area = Rect::new(0, 0, width, height.min(MAX_ROWS));
    let chart = Chart { line, timeline };
    if timeline.is_empty() || !Chart::fits(area) {
        let mut buffer = Buffer::empty(Rect { height: 1, ..area });
        chart.render_line(buffer.area, &mut buffer);
        return buffer;
    }
    let mut buffer = Buffer::empty(area);
    chart.render(area, &mut buffer);
    buffer
}
