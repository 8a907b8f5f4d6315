//! Percentile plot, as HDR histograms are usually shown: latency against the percentile, both on logarithmic scales.

use super::{
    chart::{Chart, Shapes, Stroke},
    data::{ChartData, LineData, Unit},
    scale::{Log, Nines, float, round_time},
};
use crate::load::stats::{
    format::{nanos, time},
    histogram::Histogram,
};

const HEIGHT: u32 = 280;

/// Number of points for each halving of the distance to 100 %.
const POINTS: u32 = 6;

/// Distribution of the plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve<'h> {
    /// Name in the legend.
    pub(crate) name: &'h str,
    pub(crate) stroke: Stroke,
    /// Times, of which there is at least one.
    pub(crate) histogram: &'h Histogram,
}

/// Returns the plot and its values. The vertical axis begins with the shortest time of the first curve.
pub(crate) fn plot(
    key: &'static str,
    title: &str,
    curves: &[Curve<'_>],
) -> Option<(Chart, ChartData)> {
    let first = curves.first()?;
    let largest = curves.iter().max_by_key(|curve| curve.histogram.len())?;
    let quantiles = shares(largest.histogram);
    let x = Nines::of(largest.histogram.len());
    let highest = curves.iter().map(|curve| nanos(curve.histogram.max()));
    let y = Log::around([nanos(first.histogram.min())].into_iter().chain(highest))?;
    let mut shapes = Shapes::new(HEIGHT);
    let mut lines = Vec::new();
    for curve in curves {
        let values: Vec<_> = quantiles.iter().map(|share| value(curve.histogram, *share)).collect();
        let places = values.iter().zip(&quantiles).filter_map(|(value, share)| {
            let at = y.place((*value)?);
            Some(Some((x.place(*share), at)).filter(|_| at >= 0.0))
        });
        let end = (Nines::of(curve.histogram.len()).end() / x.end()).min(1.0);
        let end = Some((end, y.place(nanos(curve.histogram.max()))));
        shapes.curve(curve.stroke, &places.chain([end]).collect::<Vec<_>>(), false);
        shapes.name_curve(curve.stroke, curve.name);
        let known = |value: Option<u64>| value.map(float);
        let mut values: Vec<_> = values.into_iter().map(known).collect();
        values.push(Some(float(nanos(curve.histogram.max()))));
        lines.push(LineData { name: curve.name.to_owned(), unit: Unit::Time, values });
    }
    let chart = Chart {
        key,
        title: title.to_owned(),
        summary: curves.iter().map(summary).collect::<Vec<_>>().join("; "),
        height: HEIGHT,
        x: x.ticks(),
        x_title: "percentile (%), scale of 1/(1\u{2212}p)".to_owned(),
        y: y.ticks(round_time),
        shapes,
    };
    let at = quantiles.iter().map(|share| round(x.place(*share))).chain([1.0]).collect();
    let percents = quantiles.iter().map(|share| round(100.0 * share)).chain([100.0]).collect();
    let name = "percentile";
    Some((chart, ChartData { name, unit: Unit::Percent, x: percents, at: Some(at), lines }))
}

fn summary(curve: &Curve<'_>) -> String {
    let quantile = |share| time(nanos(curve.histogram.quantile(share)));
    format!(
        "{}: p50 {}, p90 {}, p99 {}, p99.9 {}, maximum {}",
        curve.name,
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        quantile(0.999),
        time(nanos(curve.histogram.max()))
    )
}

/// Returns the quantiles below 1 at which the plot has points.
fn shares(histogram: &Histogram) -> Vec<f64> {
    let quantiles = histogram.hdr().iter_quantiles(POINTS);
    let mut quantiles: Vec<_> = quantiles.map(|step| step.quantile_iterated_to()).collect();
    quantiles.retain(|share| (0.0..1.0).contains(share));
    quantiles.insert(0, 0.0);
    quantiles.dedup();
    quantiles
}

/// Returns the time that a share does not exceed; `None` if the maximum is the only time above it.
fn value(histogram: &Histogram, share: f64) -> Option<u64> {
    let is_known = share == 0.0 || (1.0 - share) * float(histogram.len()) >= 1.0;
    is_known.then(|| nanos(histogram.quantile(share)))
}

/// Rounds a number to six digits behind the point: quantiles of a billion messages.
fn round(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}
