//! Chart of the time series of a load: the rate, the latency on a logarithmic scale, errors and connections over the same time.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Chart as Plot, Dataset, GraphType, Sparkline, Widget},
};

use super::timeline::Timeline;
use crate::load::stats::format::{round_up, time};

/// Columns of the labels at the left, without the axis.
const LABEL: u16 = 7;

/// Minimum size.
const MIN_WIDTH: u16 = 47;
const MIN_HEIGHT: u16 = 13;

/// Color of the rate.
const RATE: Color = Color::Green;
/// Colors of the median, the 99th percentile and the maximum of the latency. They never cross, so they are distinct without a color.
const LATENCIES: [Color; 3] = [Color::Cyan, Color::Yellow, Color::Magenta];
const ERRORS: Color = Color::Red;
const LOST: Color = Color::Yellow;
const CONNECTIONS: Color = Color::Blue;

/// Chart of a time series, below a line of text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chart<'c> {
    /// Text of the first row.
    pub(super) line: &'c str,
    /// What is drawn.
    pub(super) timeline: &'c Timeline,
}

impl Chart<'_> {
    /// Returns `true` if an area is large enough.
    pub(super) fn fits(area: Rect) -> bool {
        area.width >= MIN_WIDTH && area.height >= MIN_HEIGHT
    }

    /// Draws the text alone.
    pub(super) fn render_line(&self, area: Rect, buffer: &mut Buffer) {
        Line::raw(self.line).render(area, buffer);
    }

    fn render_rate(&self, area: Rect, buffer: &mut Buffer) {
        let highest = self.timeline.rate.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        let top = top_of(highest);
        let labels = [0.0, top / 2.0, top].map(|value| label(&short(value)));
        let axis = Axis::default().bounds([0.0, top]).labels(labels);
        let lines = vec![dataset(&self.timeline.rate, RATE)];
        Plot::new(lines)
            .x_axis(self.time_axis())
            .y_axis(axis)
            .legend_position(None)
            .render(area, buffer);
    }

    fn render_latency(&self, area: Rect, buffer: &mut Buffer) {
        let values = || self.timeline.latencies.iter().flatten().map(|(_, value)| *value);
        let bottom = values().fold(f64::INFINITY, f64::min).floor();
        let top = values().fold(f64::NEG_INFINITY, f64::max).ceil().max(bottom + 1.0);
        if !bottom.is_finite() {
            return;
        }
        // The axis and its labels take two rows.
        let labels = decades(bottom, top, area.height.saturating_sub(2));
        let end = format!("{:.0} s", self.timeline.end);
        // An interval without a message interrupts the lines.
        let are_neighbours =
            |one: &(f64, f64), next: &(f64, f64)| next.0 - one.0 < self.timeline.interval * 1.5;
        let lines = self.timeline.latencies.iter().zip(LATENCIES).flat_map(|(points, color)| {
            points.chunk_by(are_neighbours).map(move |part| dataset(part, color))
        });
        Plot::new(lines.collect())
            .x_axis(self.time_axis().labels(["0".to_owned(), end]))
            .y_axis(Axis::default().bounds([bottom, top]).labels(labels))
            .legend_position(None)
            .render(area, buffer);
    }

    fn time_axis(&self) -> Axis<'static> {
        Axis::default().bounds([0.0, self.timeline.end])
    }

    /// Draws a mark in the column of each interval with errors or losses.
    fn render_marks(&self, area: Rect, buffer: &mut Buffer) {
        let graph = graph(area);
        for (times, mark, color) in
            [(&self.timeline.lost, "\u{2022}", LOST), (&self.timeline.errors, "\u{d7}", ERRORS)]
        {
            for time in times {
                let x = graph.x + self.column(*time, graph.width);
                buffer.set_string(x, graph.y, mark, Style::new().fg(color));
            }
        }
        buffer.set_string(area.x, area.y, label("errors"), Style::new());
    }

    /// Draws the lowest number of connections in each column.
    fn render_connections(&self, area: Rect, buffer: &mut Buffer) {
        let graph = graph(area);
        let mut columns: Vec<Option<u64>> = vec![None; graph.width.into()];
        for ((time, _), &connections) in self.timeline.rate.iter().zip(&self.timeline.connections) {
            let column = &mut columns[usize::from(self.column(*time, graph.width))];
            *column = Some(column.map_or(connections, |other| other.min(connections)));
        }
        // A column without an interval has what the one before it has, and the columns before the first one have what it has.
        let mut last = self.timeline.connections.first().copied();
        let columns = columns.into_iter().map(|column| {
            last = column.or(last);
            last.unwrap_or_default()
        });
        Sparkline::default()
            .data(columns.collect::<Vec<_>>())
            .style(Style::new().fg(CONNECTIONS))
            .render(graph, buffer);
        buffer.set_string(area.x, area.y, label("open"), Style::new());
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time is from zero to the end"
    )]
    fn column(&self, time: f64, width: u16) -> u16 {
        let column = time / self.timeline.end * f64::from(width.saturating_sub(1));
        column.round() as u16
    }

    fn legend(&self) -> Line<'static> {
        let names = ["p50", "p99", "max"];
        let mut spans = vec![Span::raw(label("latency")), Span::raw(" ")];
        for (name, color) in names.into_iter().zip(LATENCIES) {
            spans.push(Span::styled(format!(" \u{2500} {name}"), color));
        }
        if !self.timeline.errors.is_empty() {
            spans.push(Span::styled("   \u{d7} errors", ERRORS));
        }
        if !self.timeline.lost.is_empty() {
            spans.push(Span::styled("   \u{2022} lost", LOST));
        }
        Line::from(spans)
    }
}

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let rows = [
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Fill(2),
            Constraint::Length(1),
            Constraint::Fill(3),
            Constraint::Length(1),
            Constraint::Length(1),
        ];
        let [line, title, rate, legend, latency, marks, connections] =
            Layout::vertical(rows).areas(area);
        self.render_line(line, buffer);
        let name = Span::styled(" \u{2500} messages per second", RATE);
        Line::from(vec![Span::raw(label("rate")), Span::raw(" "), name]).render(title, buffer);
        self.render_rate(rate, buffer);
        self.legend().render(legend, buffer);
        self.render_latency(latency, buffer);
        self.render_marks(marks, buffer);
        self.render_connections(connections, buffer);
    }
}

/// Returns the part of an area at the right of its labels and the axis.
fn graph(area: Rect) -> Rect {
    let left = (LABEL + 1).min(area.width);
    Rect { x: area.x + left, width: area.width - left, ..area }
}

fn dataset(points: &[(f64, f64)], color: Color) -> Dataset<'_> {
    // A line through one point has no length.
    let kind = if points.len() == 1 { GraphType::Scatter } else { GraphType::Line };
    Dataset::default().data(points).marker(Marker::Braille).graph_type(kind).style(color)
}

/// Aligns a label at the axis, so that all graphs begin in the same column.
fn label(text: &str) -> String {
    format!("{text:>width$}", width = usize::from(LABEL))
}

/// Returns the end of an axis of rates.
fn top_of(highest: f64) -> f64 {
    round_up(highest.max(1.0))
}

/// Formats a rate in a few characters.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => value.to_string(),
    }
}

/// Returns labels of powers of ten at equal distances, as many as fit.
fn decades(bottom: f64, top: f64, rows: u16) -> Vec<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an exponent of nanoseconds in an hour is less than 13"
    )]
    let (bottom, top) = (bottom as u32, top as u32);
    let span = top - bottom;
    let fits = |step: &u32| span.is_multiple_of(*step) && span / step < rows.into();
    let step = (1..=span).find(fits).unwrap_or(span);
    let exponents = (bottom..=top).step_by(step as usize);
    let name = |exponent| time(10_u64.pow(exponent)).replace(".00", "").replace(".0", "");
    exponents.map(|exponent| label(&name(exponent))).collect()
}

#[cfg(test)]
mod tests;
