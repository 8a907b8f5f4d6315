//! Comparison as text for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use common::escape::Escaped;

use super::document::{Change, Comparison, Effect};
use crate::load::{evaluate::metric::Metric, stats::format::count};

/// Names of the columns of [`rows`].
pub(super) const COLUMNS: [&str; 6] =
    ["", "base", "other", "ratio", "95 % confidence", "these two loads"];

/// Returns the comparison without its last lines, the [`conclusion`].
pub(super) fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (name, side) in [("base", &comparison.base), ("other", &comparison.other)] {
        let _ = writeln!(text, "{name:<6} {}: {}", safe(&side.file), side.verdict);
    }
    text.push('\n');
    for warning in &comparison.warnings {
        let _ = writeln!(text, "Warning: {}", safe(warning));
    }
    if !comparison.warnings.is_empty() {
        text.push('\n');
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS);
    for row in rows(comparison) {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1).take(COLUMNS.len() - 2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let _ = writeln!(text, "{}\n", table.trim_fmt());
    let _ = writeln!(text, "{}\n", method(comparison));
    text
}

/// Returns the results of the assertions, and the verdict.
pub(super) fn conclusion(comparison: &Comparison) -> String {
    let mut text = String::new();
    for result in &comparison.assertions {
        let holds = if result.holds { "holds" } else { "does not hold" };
        let _ = writeln!(text, "Assertion {} {holds}: {}", result.assertion, result.figure);
    }
    let _ = writeln!(text, "{}: {}", comparison.verdict, safe(&comparison.reason));
    text
}

/// Returns a row for each metric.
pub(super) fn rows(comparison: &Comparison) -> Vec<[String; 6]> {
    comparison.metrics.iter().map(row).collect()
}

fn row(change: &Change) -> [String; 6] {
    let metric = change.metric.parse::<Metric>();
    let text = |value: Option<f64>| match (&metric, value) {
        (Ok(metric), Some(value)) => metric.format(value),
        _ => "unknown".to_owned(),
    };
    let ratio = change.ratio.map_or_else(|| "-".to_owned(), ratio);
    let interval = change.interval.map_or_else(
        || "-".to_owned(),
        |interval| format!("{} to {}", self::ratio(interval.low), self::ratio(interval.high)),
    );
    let effect = match change.effect {
        Some(Effect::Better) => "better",
        Some(Effect::Worse) => "worse",
        Some(Effect::None) => "not significant",
        None => "",
    };
    let (base, other) = (text(change.base), text(change.other));
    [change.metric.clone(), base, other, ratio, interval, effect.to_owned()]
}

/// Returns how the confidence was computed.
pub(super) fn method(comparison: &Comparison) -> String {
    let Some(it) = comparison.confidence else {
        return "Confidence: unknown.".to_owned();
    };
    format!(
        "Confidence: {} resamples of {} and {} intervals, in blocks of {} s and {} s.\n\
         It covers the noise within these two loads. From one load of the same server\n\
         to the next, figures may differ more: repeat both loads, and compare each pair.",
        count(it.resamples as u64),
        it.base_intervals,
        it.other_intervals,
        it.base_block_seconds,
        it.other_block_seconds
    )
}

/// Formats a ratio.
fn ratio(ratio: f64) -> String {
    if ratio < 99.5 { format!("{ratio:.3}") } else { format!("{ratio:.0}") }
}

/// Formats a ratio as a change in percent.
pub(super) fn signed_percent(ratio: f64) -> String {
    let percents = 100.0 * (ratio - 1.0);
    // No negative zero.
    let percents = if percents.abs() < 0.05 { 0.0 } else { percents };
    format!("{percents:+.1} %")
}

fn safe(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}
