//! Top of the page: what the load was, the verdict, the assertions, and the key figures.

use std::fmt::Write as _;

use super::markup::{Text, elements};
use crate::load::{
    report::{
        document::{AssertionResult, Report},
        rows::{self, time_or_dash},
        verdict::Verdict,
    },
    stats::format::{count, percent, rate, share},
};

/// Returns the title of the page of a load.
pub(super) fn title(report: &Report) -> String {
    let server = report.plan.as_ref().map(|plan| &plan.server[..]);
    match (&report.find_rate, server, report.parts.len()) {
        (Some(search), Some(server), _) if search.found.is_none() => {
            format!("Search for the highest rate of {server}, which found none")
        }
        (Some(_), Some(server), _) => format!("Highest rate of {server}"),
        (None, Some(server), _) => format!("Load of {server}"),
        (_, None, 1) => "Load of 1 report, merged".to_owned(),
        (_, None, parts) => format!("Load of {} reports, merged", count(parts as u64)),
    }
}

/// Returns the heading, with lines of text below it.
pub(crate) fn heading(title: &str, lines: &[String]) -> String {
    let lines = elements("p", lines);
    format!("<header class=\"lead\"><h1>{}</h1>{lines}</header>\n", Text(title))
}

/// Returns the lines below the heading of a load.
pub(super) fn heading_lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(plan) = &report.plan {
        let headline = rows::headline(plan);
        lines.push(headline.split_once(": ").map_or(headline.clone(), |(_, load)| load.to_owned()));
    }
    let start = report.series.as_ref().map(|series| series.start.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let seconds = format!("{:.1} s measured", report.seconds);
    lines.push(start.map_or(seconds.clone(), |start| format!("{start}, {seconds}")));
    lines
}

/// Returns the verdict, its reason, and the results of assertions.
pub(crate) fn verdict(verdict: Verdict, reason: &str, assertions: &[AssertionResult]) -> String {
    let (class, sign) = match verdict {
        Verdict::Valid => ("valid", "\u{2713}"),
        Verdict::Failed => ("failed", "\u{2717}"),
        Verdict::ClientLimited => ("client-limited", "!"),
        Verdict::Unknown => ("unknown", "?"),
    };
    format!(
        "<section class=\"verdict {class}\" aria-label=\"Verdict\"><p class=\"word\"><span aria-hidden=\"true\">{sign}</span> \
         <span id=\"verdict\">{verdict}</span></p><p class=\"reason\" id=\"reason\">{}</p>{}</section>\n",
        Text(reason),
        self::assertions(assertions)
    )
}

fn assertions(results: &[AssertionResult]) -> String {
    if results.is_empty() {
        return String::new();
    }
    let mut items = String::new();
    for AssertionResult { assertion, holds, figure } in results {
        let (class, word) =
            if *holds { ("holds", "\u{2713} holds") } else { ("broken", "\u{2717} does not hold") };
        let (assertion, figure) = (Text(assertion), Text(figure));
        let _ = write!(
            items,
            "<li class=\"{class}\"><span class=\"mark\">{word}</span><code>{assertion}</code>\
             <span>{figure}</span></li>"
        );
    }
    format!("<ul class=\"assertions\" aria-label=\"Assertions\">{items}</ul>")
}

/// Key figure: its name, its value, a remark, and whether it is bad.
type Figure = (&'static str, String, String, bool);

/// Returns the key figures.
pub(super) fn key_figures(report: &Report) -> String {
    let mut items = String::new();
    for (name, value, remark, is_bad) in figures(report) {
        let class = if is_bad { " class=\"bad\"" } else { "" };
        let remark = match &remark[..] {
            "" => String::new(),
            remark => format!("<dd class=\"sub\">{}</dd>", Text(remark)),
        };
        let _ = write!(items, "<div{class}><dt>{name}</dt><dd>{}</dd>{remark}</div>", Text(value));
    }
    format!("<dl class=\"key\" aria-label=\"Key figures\">{items}</dl>\n")
}

fn figures(report: &Report) -> Vec<Figure> {
    let latency = &report.latency;
    let plain = |name, value| (name, value, String::new(), false);
    let due = report.plan.as_ref().and_then(|plan| plan.rate).filter(|due| *due > 0.0);
    let due = due.map_or(String::new(), |due| format!("of {} due", rate(due)));
    let messages = format!("in {:.1} s", report.seconds);
    let unknown = || "unknown".to_owned();
    let errors = report.errors.as_ref().map(|errors| errors.values().sum::<u64>());
    let kinds = report.errors.iter().flatten().filter(|(_, number)| **number > 0);
    let kinds: Vec<_> = kinds.map(|(kind, number)| format!("{} {kind}", count(*number))).collect();
    let lost_share = report.datagrams.zip(report.lost).filter(|(_, lost)| *lost > 0);
    let lost_share = lost_share.map_or(String::new(), |(datagrams, lost)| {
        format!("{} of {}", share(lost, datagrams.sent), count(datagrams.sent))
    });
    let cpu = report.client_cpu.map(|cpu| {
        let busiest = format!("busiest process {} of a core", percent(cpu.busiest_process));
        ("client CPU", format!("{:.2} of {} cores", cpu.cores, cpu.machine_cores), busiest, false)
    });
    vec![
        ("rate", rate(report.rate), due, false),
        plain("p50", time_or_dash(latency.p50_ns)),
        plain("p99", time_or_dash(latency.p99_ns)),
        plain("max", time_or_dash(latency.max_ns)),
        ("messages", count(report.messages), messages, false),
        ("errors", errors.map_or_else(unknown, count), kinds.join(", "), errors > Some(0)),
        ("lost", report.lost.map_or_else(unknown, count), lost_share, report.lost > Some(0)),
        cpu.unwrap_or_else(|| plain("client CPU", unknown())),
    ]
}
