//! Report as one page for a browser, which needs no other file and no network.
//!
//! Owns the page: charts as SVG, which are complete without its script, and tables. What a report contains is text of others,
//! so nothing reaches the page but through [`markup`]. Must not know how a figure was measured or judged.
//!
//! Read [`render`] first; [`chart`] draws, [`scale`] has the axes.

pub(crate) mod chart;
pub(crate) mod data;
mod latency_histogram;
pub(crate) mod lead;
pub(crate) mod markup;
pub(crate) mod percentiles;
pub(crate) mod points;
mod rates;
pub(crate) mod scale;
pub(crate) mod tables;
mod timeline;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use self::{
    chart::{Chart, Stroke},
    data::PageData,
    markup::{fill, script_json},
    percentiles::Curve,
    points::Timeline,
};
use super::{document::Report, rows};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Returns a page with this title and content.
pub(crate) fn page(title: &str, content: &str, data: &PageData) -> String {
    let hash = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text)));
    let footer = format!("Written by echo-client {}.", env!("CARGO_PKG_VERSION"));
    fill(
        TEMPLATE,
        &[
            ("title", &markup::Text(title).to_string()),
            ("style", STYLE),
            ("style-hash", &hash(STYLE)),
            ("script", SCRIPT),
            ("script-hash", &hash(SCRIPT)),
            ("content", content),
            ("footer", &footer),
            ("data", &script_json(data)),
        ],
    )
}

/// Returns a report as a page.
pub(crate) fn render(report: &Report) -> String {
    let mut data = PageData::new();
    let title = lead::title(report);
    let content = [
        lead::heading(&title, &lead::heading_lines(report)),
        lead::verdict(report.verdict, &report.reason, &report.assertions),
        lead::key_figures(report),
        search(report),
        percentiles(report, &mut data),
        timeline(report, &mut data),
        histogram(report, &mut data),
        tables::differences(report),
        figures(report),
        parts(report),
    ];
    page(&title, &content.concat(), &data)
}

/// Returns a section with this heading; nothing for no content.
pub(crate) fn section(heading: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section><h2>{heading}</h2>\n{content}</section>\n")
}

/// Returns text of the page itself, below a chart or a table.
pub(crate) fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", markup::Text(text.replace('\n', " ")))
}

fn percentiles(report: &Report, data: &mut PageData) -> String {
    let latency = &report.latency.histogram;
    let lag = report.lag.as_ref().map(|lag| &lag.histogram).filter(|lag| !lag.is_empty());
    let mut curves = vec![Curve { name: "latency", stroke: Stroke::First, histogram: latency }];
    curves.extend(lag.map(|histogram| Curve {
        name: "schedule lag of the client",
        stroke: Stroke::Second,
        histogram,
    }));
    let plot = (!latency.is_empty())
        .then(|| percentiles::plot("percentiles", "Latency, logarithmic scale", &curves));
    let chart = plot.flatten().map_or_else(String::new, |(chart, values)| {
        data.insert(chart.key, values);
        chart.render()
    });
    let content = chart + &tables::percentiles(report) + &note(rows::pacing(report.pacing));
    section("Latency by percentile", &content)
}

fn timeline(report: &Report, data: &mut PageData) -> String {
    let timeline = report.series.as_ref().and_then(|series| Timeline::of(series, report.seconds));
    let Some(timeline) = timeline else { return String::new() };
    let (charts, values) = timeline::plot(&timeline);
    data.insert(timeline::KEY, values);
    let charts: String = charts.iter().map(Chart::render).collect();
    let step = match timeline.step {
        1 => "Each point is one second.".to_owned(),
        step => format!("Each point is {step} seconds."),
    };
    let table = tables::timeline(&timeline);
    let table = format!("<details><summary>Figures as a table</summary>{table}</details>\n");
    section("Over time", &(charts + &note(&step) + &table))
}

fn histogram(report: &Report, data: &mut PageData) -> String {
    let Some((chart, values)) = latency_histogram::plot(&report.latency.histogram) else {
        return String::new();
    };
    data.insert(chart.key, values);
    section("Distribution of the latency", &chart.render())
}

fn search(report: &Report) -> String {
    let Some(curve) = &report.find_rate else { return String::new() };
    let chart = rates::plot(curve).map_or_else(String::new, |chart| chart.render());
    let last = note("The figures below are those of the last step.");
    section("Search for the highest rate", &(chart + &tables::steps(curve) + &last))
}

fn figures(report: &Report) -> String {
    let figures = tables::pairs(&rows::figures(report));
    let Some(plan) = &report.plan else { return section("Figures", &figures) };
    let settings = tables::pairs(&rows::settings(plan, report.pacing));
    format!(
        "<section class=\"columns\"><div><h2>Figures</h2>{figures}</div><div><h2>Settings of the load</h2>{settings}</div></section>\n"
    )
}

fn parts(report: &Report) -> String {
    if report.parts.is_empty() {
        return String::new();
    }
    section("Merged reports", &tables::parts(report))
}

#[cfg(test)]
mod tests;
