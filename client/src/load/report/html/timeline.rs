//! Time series of a load: latency, rate, errors and connections over time, one chart below the other.

use super::{
    chart::{Chart, Shapes, Stroke},
    data::{ChartData, LineData, Unit},
    points::{Point, Timeline},
    scale::{Elapsed, Linear, Log, float, round_time},
};
use crate::load::stats::format::{count, rate, time};

const LATENCY_HEIGHT: u32 = 240;
const RATE_HEIGHT: u32 = 150;
const SMALL_HEIGHT: u32 = 70;

/// Maximum number of points that are drawn as dots: more touch each other.
const MAX_DOTS: usize = 40;

/// Key of the values of these charts.
pub(super) const KEY: &str = "timeline";

/// Returns the charts and their values.
pub(crate) fn plot(timeline: &Timeline) -> (Vec<Chart>, ChartData) {
    let mut charts = Vec::new();
    charts.extend(latency(timeline));
    charts.push(rates(timeline));
    charts.extend(errors(timeline));
    charts.extend(connections(timeline));
    if let Some(last) = charts.last_mut() {
        "time since the end of the warm-up".clone_into(&mut last.x_title);
    }
    (charts, data(timeline))
}

fn latency(timeline: &Timeline) -> Option<Chart> {
    type Value = fn(&Point) -> Option<u64>;
    let lines: [(&str, Stroke, Value); 3] = [
        ("max", Stroke::Third, |point| point.max),
        ("p99", Stroke::Second, |point| point.p99),
        ("p50", Stroke::First, |point| point.p50),
    ];
    let points = &timeline.points;
    let all = lines.iter().flat_map(|(.., value)| points.iter().filter_map(value));
    let y = Log::around(all)?;
    let mut shapes = Shapes::new(LATENCY_HEIGHT);
    mark_errors(&mut shapes, timeline);
    for (_, stroke, value) in &lines {
        let places = timeline.places().map(|(x, point)| Some((x, y.place(value(point)?))));
        shapes.curve(*stroke, &places.collect::<Vec<_>>(), points.len() <= MAX_DOTS);
    }
    for (name, stroke, _) in lines.iter().rev() {
        shapes.name_curve(*stroke, name);
    }
    let range = |value: Value| {
        let values: Vec<_> = points.iter().filter_map(value).collect();
        let [min, max] =
            [values.iter().min(), values.iter().max()].map(|it| it.map_or(0, |it| *it));
        format!("from {} to {}", time(min), time(max))
    };
    let [max, p99, p50] = lines.map(|(.., value)| range(value));
    let summary = format!("each {} s, p50 {p50}, p99 {p99}, maximum {max}", timeline.step);
    Some(chart(timeline, "Latency, logarithmic scale", summary, y.ticks(round_time), shapes))
}

fn rates(timeline: &Timeline) -> Chart {
    let max = timeline.points.iter().map(|point| point.rate).fold(0.0, f64::max);
    let min = timeline.points.iter().map(|point| point.rate).fold(max, f64::min);
    let y = Linear::up_to(max, 4);
    let mut shapes = Shapes::new(RATE_HEIGHT);
    let places: Vec<_> = timeline.places().map(|(x, it)| (x, y.place(it.rate))).collect();
    mark_errors(&mut shapes, timeline);
    shapes.area(&places);
    let places: Vec<_> = places.into_iter().map(Some).collect();
    shapes.curve(Stroke::First, &places, timeline.points.len() <= MAX_DOTS);
    if timeline.points.iter().any(|point| point.losses() > 0) {
        shapes.name_bars("band", "time with errors or losses");
    }
    let summary = format!("from {} to {}", rate(min), rate(max));
    chart(timeline, "Messages per second", summary, y.ticks(decimal), shapes)
}

fn errors(timeline: &Timeline) -> Option<Chart> {
    let points = &timeline.points;
    let max = points.iter().map(Point::losses).max().filter(|max| *max > 0)?;
    let y = Linear::of_counts(max, 2);
    let mut shapes = Shapes::new(SMALL_HEIGHT);
    let bars = timeline.spans().map(|(from, to, it)| (from, to, y.place(float(it.losses()))));
    shapes.bars("bad-bars", bars);
    let errors: u64 = points.iter().map(|point| point.errors).sum();
    let lost: u64 = points.iter().map(|point| point.lost).sum();
    let title = match (errors, lost) {
        (_, 0) => "Errors",
        (0, _) => "Lost messages",
        _ => "Errors and lost messages",
    };
    let summary = format!("{} errors, {} lost", count(errors), count(lost));
    Some(chart(timeline, title, summary, y.ticks(decimal), shapes))
}

/// Returns the chart of the connections, unless there is nothing to see: none is made or ends between the first point and the
/// last one.
fn connections(timeline: &Timeline) -> Option<Chart> {
    let points = &timeline.points;
    let between = points.get(1..points.len() - 1).unwrap_or_default();
    let first = points.first()?.connections;
    if between.iter().all(|point| point.connects == 0 && point.connections == first) {
        return None;
    }
    let made: u64 = points.iter().map(|point| point.connects).sum();
    let open = |point: &Point| point.connections;
    let (min, max) = (points.iter().map(open).min()?, points.iter().map(open).max()?);
    let most = points.iter().map(|point| point.connects).max()?;
    let y = Linear::of_counts(max.max(most), 2);
    let mut shapes = Shapes::new(SMALL_HEIGHT);
    let bars = timeline.spans().map(|(from, to, it)| (from, to, y.place(float(it.connects))));
    shapes.bars("area", bars);
    let places = timeline.places().map(|(x, point)| Some((x, y.place(float(point.connections)))));
    shapes.curve(Stroke::First, &places.collect::<Vec<_>>(), false);
    shapes.name_curve(Stroke::First, "open");
    shapes.name_bars("area", "made");
    let summary = format!("from {} to {} open, {} made", count(min), count(max), count(made));
    Some(chart(timeline, "Connections", summary, y.ticks(decimal), shapes))
}

fn mark_errors(shapes: &mut Shapes, timeline: &Timeline) {
    let bad = timeline.spans().filter(|(.., point)| point.losses() > 0);
    shapes.bars("band", bad.map(|(from, to, _)| (from, to, 1.0)));
}

fn chart(
    timeline: &Timeline,
    title: &str,
    summary: String,
    y: Vec<super::scale::Tick>,
    shapes: Shapes,
) -> Chart {
    let x = Elapsed::up_to(timeline.seconds()).ticks();
    let height = shapes.height();
    Chart {
        key: KEY,
        title: title.to_owned(),
        summary,
        height,
        x,
        x_title: String::new(),
        y,
        shapes,
    }
}

fn data(timeline: &Timeline) -> ChartData {
    let line = |name: &str, unit, value: fn(&Point) -> Option<f64>| LineData {
        name: name.to_owned(),
        unit,
        values: timeline.points.iter().map(value).collect(),
    };
    let mut lines = vec![
        line("rate", Unit::Rate, |it| Some(it.rate.round())),
        line("p50", Unit::Time, |it| it.p50.map(float)),
        line("p99", Unit::Time, |it| it.p99.map(float)),
        line("max", Unit::Time, |it| it.max.map(float)),
        line("errors", Unit::Count, |it| Some(float(it.errors))),
        line("lost", Unit::Count, |it| Some(float(it.lost))),
        line("connections", Unit::Count, |it| Some(float(it.connections))),
        line("made", Unit::Count, |it| Some(float(it.connects))),
    ];
    // Figures that are 0 throughout are left out.
    lines.retain(|line| line.values.iter().flatten().any(|value| *value != 0.0));
    let x = (0..timeline.points.len() as u64).map(|index| float(index * timeline.step)).collect();
    ChartData { name: "from", unit: Unit::Seconds, x, at: None, lines }
}

/// Formats a value of an axis, which is a multiple of 1, 2 or 5 times a power of ten.
fn decimal(value: f64) -> String {
    if value.fract() == 0.0 {
        return count(whole(value));
    }
    // A multiple may have an error in its last digits.
    let rounded = format!("{value:.6}");
    rounded.trim_end_matches('0').to_owned()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_no_error_of_a_sum() {
        assert_eq!([0.1 + 0.2, 3.0, 2000.0, 0.0].map(decimal), ["0.3", "3", "2,000", "0"]);
    }
}
