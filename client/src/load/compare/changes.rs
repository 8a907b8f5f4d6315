//! What has changed from one report to another, and the assertions on it.

use super::{
    bootstrap::{self, Figure, Sample},
    document::{Change, Comparison, Confidence, Effect, Interval, Side, VERSION},
    settings, table,
};
use crate::load::{
    evaluate::{
        change::ChangeAssertion,
        metric::{Metric, Statistic, Subject},
        verdict,
    },
    report::document::{AssertionResult, Report},
};

/// Metrics of a comparison, if both reports have them.
const METRICS: [&str; 14] = [
    "rate",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "max",
    "errors",
    "lost",
    "deliveries/s",
    "connect.p99",
    "handshake.p99",
    "login.p99",
    "ws-handshake.p99",
    "lag.p99",
];

/// Smallest change of a percentile that counts: the histograms of a time series have two digits.
const TIME_RESOLUTION: f64 = 0.01;

/// Smallest change of a rate that counts: an open loop has one message more or less than another.
const RATE_RESOLUTION: f64 = 0.001;

/// Report with the name of its file.
pub(super) type Named = (String, Report);

/// Compares two reports.
pub(super) fn compare(base: &Named, other: &Named, assertions: &[ChangeAssertion]) -> Comparison {
    let names = [(&base.0[..], &base.1), (&other.0[..], &other.1)];
    let mut warnings = settings::warnings(names[0], names[1]);
    let samples = samples(names, &mut warnings);
    let changes = changes(&base.1, &other.1, &metrics(assertions), samples.as_ref());
    let (verdict, reason) = verdict::worst(&names, || "both loads are valid".to_owned());
    Comparison {
        version: VERSION,
        verdict,
        reason,
        base: side(base),
        other: side(other),
        warnings,
        confidence: samples.as_ref().map(confidence),
        assertions: assertions.iter().map(|it| evaluate(it, &changes)).collect(),
        metrics: changes.into_iter().map(|(_, change)| change).collect(),
    }
}

fn side((file, report): &Named) -> Side {
    let Report { verdict, reason, seconds, plan, .. } = report.clone();
    Side { file: file.clone(), verdict, reason, seconds, plan }
}

/// Returns the intervals of both reports, or adds a warning.
fn samples(reports: [(&str, &Report); 2], warnings: &mut Vec<String>) -> Option<(Sample, Sample)> {
    let [base, other] = reports.map(|(file, report)| {
        Sample::of(report)
            .map_err(|reason| warnings.push(format!("no confidence: {file} {reason}")))
    });
    base.ok().zip(other.ok())
}

fn confidence((base, other): &(Sample, Sample)) -> Confidence {
    Confidence {
        level: bootstrap::LEVEL,
        resamples: bootstrap::RESAMPLES,
        base_intervals: base.len(),
        other_intervals: other.len(),
        base_block_seconds: base.block_seconds(),
        other_block_seconds: other.block_seconds(),
    }
}

/// Returns the metrics of a comparison: the usual ones, and those of assertions.
fn metrics(assertions: &[ChangeAssertion]) -> Vec<Metric> {
    let usual = METRICS.iter().filter_map(|name| name.parse().ok());
    let mut metrics: Vec<Metric> = usual.collect();
    for assertion in assertions {
        if !metrics.contains(assertion.metric()) {
            metrics.push(assertion.metric().clone());
        }
    }
    metrics
}

/// Returns the changes of the metrics that both reports have.
fn changes(
    base: &Report,
    other: &Report,
    metrics: &[Metric],
    samples: Option<&(Sample, Sample)>,
) -> Vec<(Metric, Change)> {
    let resampled = |metric: &Metric| {
        let figure = figure(metric)?;
        let is_known = |report| match figure {
            Figure::Rate => true,
            Figure::Quantile(share) => bootstrap::has_tail(report, share),
        };
        (is_known(base) && is_known(other)).then_some(figure)
    };
    let figures: Vec<_> = metrics.iter().filter_map(resampled).collect();
    let mut intervals = samples
        .map(|(base, other)| bootstrap::intervals(base, other, &figures))
        .unwrap_or_default()
        .into_iter();
    let mut changes = Vec::new();
    for metric in metrics {
        let interval = resampled(metric).and_then(|_| intervals.next().flatten());
        let values = (metric.value(base), metric.value(other));
        if values.0.is_some() && values.1.is_some() {
            changes.push((metric.clone(), change(metric, values, interval)));
        }
    }
    changes
}

/// Returns the figure of a time series that a metric is.
fn figure(metric: &Metric) -> Option<Figure> {
    match metric {
        Metric::Rate => Some(Figure::Rate),
        Metric::Time(Subject::Latency, Statistic::Quantile(share)) => {
            Some(Figure::Quantile(*share))
        }
        _ => None,
    }
}

fn change(
    metric: &Metric,
    (base, other): (Option<f64>, Option<f64>),
    interval: Option<(f64, f64)>,
) -> Change {
    let ratio = base.zip(other).filter(|(base, _)| *base > 0.0).map(|(base, other)| other / base);
    // The ratio is that of the exact histograms, which the ones of the time series may miss by their digits.
    let interval = interval
        .zip(ratio)
        .map(|((low, high), ratio)| Interval { low: low.min(ratio), high: high.max(ratio) });
    let is_time = matches!(metric, Metric::Time(..));
    let spare = if is_time { TIME_RESOLUTION } else { RATE_RESOLUTION };
    let is_significant =
        interval.map(|Interval { low, high }| low > 1.0 + spare || high < 1.0 - spare);
    let effect = is_significant.zip(ratio).map(|(is_significant, ratio)| {
        let is_better = (ratio < 1.0) == is_time;
        match (is_significant, is_better) {
            (false, _) => Effect::None,
            (true, true) => Effect::Better,
            (true, false) => Effect::Worse,
        }
    });
    Change { metric: metric.to_string(), base, other, ratio, interval, effect }
}

/// Evaluates an assertion. It compares the values of the reports, and names the interval: a limit within it is near to the noise
/// of the loads.
fn evaluate(assertion: &ChangeAssertion, changes: &[(Metric, Change)]) -> AssertionResult {
    let metric = assertion.metric();
    let change = changes.iter().find(|(known, _)| known == metric).map(|(_, change)| change);
    let (base, other) = change.map_or((None, None), |change| (change.base, change.other));
    let figure = match change.zip(base.zip(other)) {
        None => format!("{metric} is unknown"),
        Some((change, (base, _))) => sentence(change, metric, assertion.limit(base) / base),
    };
    let holds = assertion.holds(base, other);
    AssertionResult { assertion: assertion.to_string(), holds, figure }
}

/// Returns a change as a sentence; `limit` is the ratio that the assertion allows.
fn sentence(change: &Change, metric: &Metric, limit: f64) -> String {
    let value = |value: Option<f64>| {
        value.map_or_else(|| "unknown".to_owned(), |value| metric.format(value))
    };
    let (base, other) = (value(change.base), value(change.other));
    let ratio = change.ratio.map_or_else(
        || format!("and {base} in the base"),
        |ratio| format!("{} against {base}", table::signed_percent(ratio)),
    );
    let Some(Interval { low, high }) = change.interval else {
        return format!("{metric} is {other}, {ratio}");
    };
    let [from, to] = [low, high].map(table::signed_percent);
    let advice = if (low..=high).contains(&limit) {
        "; the limit is within the noise: use longer loads, or a wider limit"
    } else {
        ""
    };
    format!("{metric} is {other}, {ratio} (95 % confidence: {from} to {to}){advice}")
}

#[cfg(test)]
mod tests;
