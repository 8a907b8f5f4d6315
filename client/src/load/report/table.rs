//! Report as text for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use common::escape::Escaped;

use super::{document::Report, latency_bars::latency_bars, rate_curve::RateCurve, rows};
use crate::load::stats::format::plural;

/// Returns the report without its last lines, the [`conclusion`].
pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    if let Some(spec) = &report.plan {
        let _ = writeln!(text, "{}\n", rows::headline(spec));
    }
    for part in &report.parts {
        let _ = writeln!(
            text,
            "{}: {}, {}",
            safe(&part.file),
            part.verdict,
            plural(part.messages, "message")
        );
    }
    if !report.parts.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}\n", figures(report).trim_fmt());
    let _ = writeln!(text, "{}\n", percentiles(report).trim_fmt());
    if !report.latency.histogram.is_empty() {
        let _ = writeln!(text, "{}\n", latency_bars(&report.latency.histogram).trim_fmt());
    }
    if let Some(curve) = &report.find_rate {
        let steps = rate_steps(curve);
        let _ = writeln!(text, "Rates for {}:\n{}\n", curve.condition, steps.trim_fmt());
    }
    for (what, fault) in rows::differences(report) {
        let _ = writeln!(text, "{what}: {}", safe(fault));
    }
    let disagreements: Vec<_> = rows::disagreements(report).collect();
    for disagreement in &disagreements {
        let _ = writeln!(text, "Disagreement: {}", safe(disagreement));
    }
    if !disagreements.is_empty() {
        text.push('\n');
    }
    for process in &report.failed_processes {
        let _ = writeln!(text, "Client failure: {}", safe(process));
    }
    if !report.faults.is_empty() || !report.failed_processes.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", rows::pacing(report.pacing));
    if report.stopped_early {
        text.push_str("Stopped early: the figures cover the time until then.\n");
    }
    text.push('\n');
    text
}

/// Returns the results of the assertions, and the verdict.
pub(crate) fn conclusion(report: &Report) -> String {
    let mut text = String::new();
    for result in &report.assertions {
        let holds = if result.holds { "holds" } else { "does not hold" };
        let _ = writeln!(text, "Assertion {} {holds}: {}", result.assertion, result.figure);
    }
    let _ = writeln!(text, "{}: {}", report.verdict, safe(&report.reason));
    text
}

/// Returns text that cannot control the terminal: a merged report has text of other machines.
fn safe(text: &str) -> Escaped<'_> {
    Escaped(text.as_bytes())
}

fn figures(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in rows::figures(report) {
        table.add_row([name.to_owned(), value]);
    }
    table
}

fn percentiles(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([&[""], &rows::STATISTICS[..]].concat());
    for (name, times) in rows::percentiles(report) {
        table.add_row([vec![name.to_owned()], times.to_vec()].concat());
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn rate_steps(curve: &RateCurve) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(rows::STEP);
    for step in rows::rate_steps(curve) {
        table.add_row(step);
    }
    for column in table.column_iter_mut().take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
