//! Histogram of the latency, with bins of equal width on a logarithmic scale.

use super::{
    chart::{Chart, Shapes},
    data::{ChartData, LineData, Unit},
    scale::{Linear, Log, float, round_time},
};
use crate::load::stats::{
    format::{nanos, percent, time},
    histogram::Histogram,
};

const HEIGHT: u32 = 200;

/// Number of bins that is aimed for.
const BINS: f64 = 60.0;

/// Returns the histogram and its values, unless it is empty.
pub(crate) fn plot(histogram: &Histogram) -> Option<(Chart, ChartData)> {
    let hdr = histogram.hdr();
    let (shortest, longest) = (nanos(histogram.min()), nanos(histogram.max()));
    let x =
        Log::around((!histogram.is_empty()).then_some([shortest, longest]).into_iter().flatten())?;
    let mut bins = vec![0_u64; bin_count()];
    for value in hdr.iter_recorded() {
        let place = x.place(value.value_iterated_to()).clamp(0.0, 1.0);
        bins[bin(place)] += value.count_at_value();
    }
    let share = |count: u64| float(count) / float(histogram.len());
    let highest = bins.iter().copied().max().map_or(0.0, share);
    let y = Linear::up_to(100.0 * highest, 4);
    let mut shapes = Shapes::new(HEIGHT);
    shapes.bars(
        "bars",
        bins.iter().enumerate().map(|(index, count)| {
            let from = place(index);
            (from, from + 0.9 / BINS, y.place(100.0 * share(*count)))
        }),
    );
    for (name, quantile, top) in [("p50", 0.5, 14), ("p99", 0.99, 32)] {
        let value = nanos(histogram.quantile(quantile));
        shapes.marker(x.place(value), &format!("{name} {}", time(value)), top);
    }
    let chart = Chart {
        key: "histogram",
        title: "Messages by latency".to_owned(),
        summary: summary(histogram),
        height: HEIGHT,
        x: x.ticks(round_time),
        x_title: "latency, logarithmic scale".to_owned(),
        y: y.ticks(|percents| format!("{percents} %")),
        shapes,
    };
    let times = (0..bins.len()).map(|index| x.value(place(index)).round()).collect();
    let places = (0..bins.len()).map(|index| place(index) + 0.5 / BINS).collect();
    let counts = bins.iter().map(|count| Some(float(*count))).collect();
    let lines = vec![LineData { name: "messages".to_owned(), unit: Unit::Count, values: counts }];
    Some((chart, ChartData { name: "from", unit: Unit::Time, x: times, at: Some(places), lines }))
}

fn summary(histogram: &Histogram) -> String {
    let [p50, p99] = [0.5, 0.99].map(|share| histogram.quantile(share));
    let hdr = histogram.hdr();
    let below = |limit| percent(float(hdr.count_between(0, nanos(limit))) / float(hdr.len()));
    format!(
        "from {} to {}; {} took at most {}, {} at most {}",
        time(nanos(histogram.min())),
        time(nanos(histogram.max())),
        below(p50),
        time(nanos(p50)),
        below(p99),
        time(nanos(p99))
    )
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn bin_count() -> usize {
    BINS as usize
}

/// Returns the bin of a place.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1")]
fn bin(place: f64) -> usize {
    ((place * BINS) as usize).min(bin_count() - 1)
}

/// Returns the place at which a bin begins.
#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn place(bin: usize) -> f64 {
    bin as f64 / BINS
}
