//! Comparison as a page for a browser.

use std::fmt::Write as _;

use super::{
    document::{Comparison, Effect},
    table,
};
use crate::load::report::{
    document::Report,
    html::{
        chart::{Chart, Shapes, Stroke},
        data::PageData,
        lead,
        markup::elements,
        note, page,
        percentiles::{self, Curve},
        points::{Point, Timeline},
        scale::{Elapsed, Linear, Log, Tick, round_time},
        section, tables,
    },
    rows,
};
use crate::load::stats::format::{count, rate, time};

/// Height of a row of the changes.
const ROW_HEIGHT: u32 = 30;

const TIMELINE_HEIGHT: u32 = 190;

/// Returns a comparison of these reports as a page.
pub(super) fn render(comparison: &Comparison, base: &Report, other: &Report) -> String {
    let mut data = PageData::new();
    let (first, second) = (&comparison.base, &comparison.other);
    let title = format!("{} compared with {}", second.file, first.file);
    let lines = [("Base", first), ("Other", second)].map(|(name, side)| {
        format!("{name}: {}, {}, {:.1} s measured", side.file, side.verdict, side.seconds)
    });
    let content = [
        lead::heading(&title, &lines),
        lead::verdict(comparison.verdict, &comparison.reason, &comparison.assertions),
        warnings(comparison),
        changes(comparison),
        latency(comparison, base, other, &mut data),
        timelines(base, other),
        settings(base, other),
    ];
    page(&title, &content.concat(), &data)
}

fn warnings(comparison: &Comparison) -> String {
    let items = elements("li", &comparison.warnings);
    if items.is_empty() {
        return String::new();
    }
    section("Warnings", &format!("<ul class=\"warnings\">{items}</ul>"))
}

fn changes(comparison: &Comparison) -> String {
    let chart = change_chart(comparison).map_or_else(String::new, |chart| chart.render());
    let columns = [&["metric"], &table::COLUMNS[1..]].concat();
    let rows = tables::grid("Metrics", &columns, &table::rows(comparison), 5);
    section("Changes", &(chart + &rows + &note(&table::method(comparison))))
}

/// Draws the ratio of each metric that has an interval.
fn change_chart(comparison: &Comparison) -> Option<Chart> {
    let known = comparison.metrics.iter().filter_map(|it| Some((it, it.ratio?, it.interval?)));
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        return None;
    }
    let ends = known.iter().flat_map(|(.., interval)| [interval.low, interval.high]);
    let (low, high) =
        ends.fold((1.0_f64, 1.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    let percents = |ratio: f64| 100.0 * (ratio - 1.0);
    let x = Linear::between(percents(low), percents(high), 4);
    let place = |ratio: f64| x.place(percents(ratio));
    let rows = u32::try_from(known.len()).unwrap_or(u32::MAX);
    let height = ROW_HEIGHT * rows;
    let row_place = |row: u32| 1.0 - (f64::from(row) + 0.5) / f64::from(rows);
    let mut shapes = Shapes::new(height);
    let mut y = Vec::new();
    let mut summary = String::new();
    for (row, (change, ratio, interval)) in (0..).zip(&known) {
        let at = row_place(row);
        shapes.interval(at, [interval.low, *ratio, interval.high].map(place));
        y.push(Tick { at, label: Some(change.metric.clone()), is_wide: false });
        let effect = match change.effect {
            Some(Effect::Better) => "better",
            Some(Effect::Worse) => "worse",
            _ => "not significant",
        };
        let _ = write!(summary, "{} {}, {effect}; ", change.metric, table::signed_percent(*ratio));
    }
    shapes.line(place(1.0));
    let label = |percents: f64| match percents {
        0.0 => "0 %".to_owned(),
        percents => format!("{:+} %", (1000.0 * percents).round() / 1000.0),
    };
    Some(Chart {
        key: "changes",
        title: "Change from base to other".to_owned(),
        summary: summary.trim_end_matches("; ").to_owned(),
        height,
        x: x.ticks(label),
        x_title: "point: change; line: 95 % confidence".to_owned(),
        y,
        shapes,
    })
}

fn latency(comparison: &Comparison, base: &Report, other: &Report, data: &mut PageData) -> String {
    let names = [&comparison.base, &comparison.other].map(|side| &side.file);
    let [first, second] = [format!("base: {}", names[0]), format!("other: {}", names[1])];
    let curves = [
        Curve { name: &first, stroke: Stroke::First, histogram: &base.latency.histogram },
        Curve { name: &second, stroke: Stroke::Second, histogram: &other.latency.histogram },
    ];
    if curves.iter().any(|curve| curve.histogram.is_empty()) {
        return String::new();
    }
    let Some((chart, values)) =
        percentiles::plot("percentiles", "Latency, logarithmic scale", &curves)
    else {
        return String::new();
    };
    data.insert(chart.key, values);
    section("Latency by percentile", &chart.render())
}

/// Draws both time series, one above the other, from the start of each.
fn timelines(base: &Report, other: &Report) -> String {
    let timeline = |report: &Report| Timeline::of(report.series.as_ref()?, report.seconds);
    let Some((base, other)) = timeline(base).zip(timeline(other)) else { return String::new() };
    let p99 = |point: &Point| point.p99;
    let all = || base.points.iter().chain(&other.points);
    let mut charts = String::new();
    let seconds = base.seconds().max(other.seconds());
    let draw = |place: &dyn Fn(&Point) -> Option<f64>| {
        let mut shapes = Shapes::new(TIMELINE_HEIGHT);
        for (timeline, stroke, name) in
            [(&base, Stroke::First, "base"), (&other, Stroke::Second, "other")]
        {
            let points: Vec<_> =
                timeline.places_of(seconds).map(|(at, point)| Some((at, place(point)?))).collect();
            shapes.curve(stroke, &points, false);
            shapes.name_curve(stroke, name);
        }
        shapes
    };
    let chart = |title: &str, summary: String, y: Vec<Tick>, shapes: Shapes| Chart {
        key: "timeline",
        title: title.to_owned(),
        summary,
        height: TIMELINE_HEIGHT,
        x: Elapsed::up_to(seconds).ticks(),
        x_title: "time since the end of the warm-up".to_owned(),
        y,
        shapes,
    };
    let range = |value: &dyn Fn(&Timeline) -> String| {
        format!("base {}; other {}", value(&base), value(&other))
    };
    if let Some(y) = Log::around(all().filter_map(p99)) {
        let shapes = draw(&|point| Some(y.place(point.p99?)));
        let highest = |timeline: &Timeline| {
            format!("up to {}", time(timeline.points.iter().filter_map(p99).max().unwrap_or(0)))
        };
        charts +=
            &chart("p99, logarithmic scale", range(&highest), y.ticks(round_time), shapes).render();
    }
    let y = Linear::up_to(all().map(|point| point.rate).fold(0.0, f64::max), 4);
    let shapes = draw(&|point| Some(y.place(point.rate)));
    let highest = |timeline: &Timeline| {
        format!(
            "up to {}",
            rate(timeline.points.iter().map(|point| point.rate).fold(0.0, f64::max))
        )
    };
    let ticks = y.ticks(|value| count(whole(value)));
    charts += &chart("Messages per second", range(&highest), ticks, shapes).render();
    section("Over time", &charts)
}

fn settings(base: &Report, other: &Report) -> String {
    let table = |name: &str, report: &Report| {
        let rows = report.plan.as_ref().map(|plan| rows::settings(plan, report.pacing));
        rows.map(|rows| format!("<div><h2>Settings: {name}</h2>{}</div>", tables::pairs(&rows)))
    };
    let tables: String =
        [table("base", base), table("other", other)].into_iter().flatten().collect();
    if tables.is_empty() {
        return String::new();
    }
    format!("<section class=\"columns\">{tables}</section>\n")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
