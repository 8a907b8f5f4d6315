//! Plot of a search for the highest rate: the p99 of its steps against their rates.

use super::{
    chart::{Chart, Shapes},
    scale::{Log, round_time},
};
use crate::load::{
    report::rate_curve::RateCurve,
    stats::format::{count, plural, rate},
};

const HEIGHT: u32 = 240;

/// Returns the plot, if a step has a latency.
pub(crate) fn plot(curve: &RateCurve) -> Option<Chart> {
    let steps = || curve.steps.iter().filter_map(|step| Some((step, step.p99_ns?)));
    let x = Log::around(steps().map(|(step, _)| whole(step.target_rate)))?;
    let y = Log::around(steps().map(|(_, p99)| p99))?;
    let mut shapes = Shapes::new(HEIGHT);
    if let Some(found) = curve.found {
        shapes.marker(x.place(whole(found)), &format!("found: {}", rate(found)), 14);
    }
    for (step, p99) in steps() {
        shapes.point(x.place(whole(step.target_rate)), y.place(p99), step.holds);
    }
    let condition = &curve.condition;
    shapes.name_points(true, &format!("{condition} holds"));
    shapes.name_points(false, "does not hold");
    let result = curve.found.map_or("no rate was found".to_owned(), |found| {
        format!("the highest rate at which {condition} holds is {}", rate(found))
    });
    let steps = plural(curve.steps.len() as u64, "step");
    Some(Chart {
        key: "rates",
        title: "p99 at each rate".to_owned(),
        summary: format!("{steps}; {result}"),
        height: HEIGHT,
        x: x.ticks(count),
        x_title: "messages/s that were due".to_owned(),
        y: y.ticks(round_time),
        shapes,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are positive")]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}
