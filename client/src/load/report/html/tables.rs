//! Tables of the page.

use std::fmt::Write as _;

use super::{
    markup::{Text, elements},
    points::Timeline,
    scale::elapsed,
};
use crate::load::{
    report::{
        document::Report,
        rate_curve::RateCurve,
        rows::{self, time_or_dash},
    },
    stats::format::{count, rate},
};

/// Returns a table of names and values.
pub(crate) fn pairs(rows: &[(&str, String)]) -> String {
    let mut body = String::new();
    for (name, value) in rows {
        let (name, value) = (Text(name), Text(value));
        let _ = write!(body, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    format!("<table class=\"pairs\"><tbody>{body}</tbody></table>\n")
}

/// Returns a table whose first column names the rows. Columns from `text` on are text, the others numbers.
pub(crate) fn grid<R: AsRef<[String]>>(
    name: &str,
    columns: &[&str],
    rows: &[R],
    text: usize,
) -> String {
    let class = |index: usize| if index >= text { " class=\"text\"" } else { "" };
    let mut head = String::new();
    for (index, column) in columns.iter().enumerate() {
        let class = class(index);
        // A heading without text is none.
        let _ = match column {
            &"" => write!(head, "<td{class}></td>"),
            column => write!(head, "<th scope=\"col\"{class}>{}</th>", Text(column)),
        };
    }
    let mut body = String::new();
    for row in rows {
        body += "<tr>";
        for (index, cell) in row.as_ref().iter().enumerate() {
            let (class, cell) = (class(index), Text(cell));
            let _ = match index {
                0 => write!(body, "<th scope=\"row\">{cell}</th>"),
                _ => write!(body, "<td{class}>{cell}</td>"),
            };
        }
        body += "</tr>";
    }
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table class=\"numbers rows\"><thead><tr>{head}</tr></thead>\
         <tbody>{body}</tbody></table></div>\n",
        Text(name)
    )
}

/// Returns the percentiles of each distribution.
pub(super) fn percentiles(report: &Report) -> String {
    let columns = [&[""], &rows::STATISTICS[..]].concat();
    let rows = rows::percentiles(report).into_iter();
    let rows = rows.map(|(name, times)| [vec![name.to_owned()], times.to_vec()].concat());
    grid("Percentiles", &columns, &rows.collect::<Vec<_>>(), usize::MAX)
}

/// Returns the steps of a search.
pub(super) fn steps(curve: &RateCurve) -> String {
    grid("Steps", &rows::STEP, &rows::rate_steps(curve), rows::STEP.len() - 2)
}

/// Returns the merged reports.
pub(super) fn parts(report: &Report) -> String {
    let rows = report.parts.iter().map(|part| {
        let plan = part.plan.as_ref().map_or_else(String::new, rows::headline);
        let (messages, per_second) = (count(part.messages), rate(part.rate));
        let verdict = format!("{}: {}", part.verdict, part.reason);
        [part.file.clone(), messages, per_second, verdict, plan]
    });
    let columns = ["report", "messages", "rate", "verdict", "load"];
    grid("Merged reports", &columns, &rows.collect::<Vec<_>>(), 3)
}

/// Returns the time series of a load in numbers.
pub(super) fn timeline(timeline: &Timeline) -> String {
    let rows = timeline.points.iter().zip(0..).map(|(point, index)| {
        [
            elapsed(index * timeline.step),
            rate(point.rate),
            time_or_dash(point.p50),
            time_or_dash(point.p99),
            time_or_dash(point.max),
            count(point.errors),
            count(point.lost),
            count(point.connections),
            count(point.connects),
        ]
    });
    let columns = ["from", "rate", "p50", "p99", "max", "errors", "lost", "connections", "made"];
    grid("Figures over time", &columns, &rows.collect::<Vec<_>>(), usize::MAX)
}

/// Returns what differed, and what failed.
pub(super) fn differences(report: &Report) -> String {
    let differences = rows::differences(report).map(|(what, text)| format!("{what}: {text}"));
    let disagreements = rows::disagreements(report).map(|text| format!("Disagreement: {text}"));
    let processes = report.failed_processes.iter().map(|text| format!("Client failure: {text}"));
    let all = differences.chain(disagreements).chain(processes);
    let items = elements("li", all);
    if items.is_empty() {
        return String::new();
    }
    format!("<section><h2>First differences</h2><ul class=\"differences\">{items}</ul></section>\n")
}
