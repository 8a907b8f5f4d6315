//! Differences between the settings of two loads, which make their figures differ as well.

use jiff::Timestamp;

use crate::load::report::{
    document::{Part, Report},
    rows::settings,
    verdict::Verdict,
};

/// Settings that may differ without a remark: what stops a load, and the bytes of its payload.
const HARMLESS: [&str; 4] = ["duration", "messages", "warm-up", "seed"];

/// Returns the warnings for two reports with these names.
pub(super) fn warnings(base: (&str, &Report), other: (&str, &Report)) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, report) in [base, other] {
        if report.verdict != Verdict::Valid {
            warnings.push(format!("{name} is {}, so its figures may be wrong", report.verdict));
        }
        if has_successive_parts(report) {
            warnings.push(format!(
                "{name} is a merge of loads that did not run at the same time, so its rate is none that the server had: \
                 compare the loads one by one"
            ));
        }
    }
    let (base, other) = (base.1, other.1);
    match (&base.plan, &other.plan) {
        (Some(one), Some(two)) => {
            let two = settings(two, other.pacing);
            let one = settings(one, base.pacing);
            warnings.extend(differences(&one, &two));
        }
        _ if base.pacing != other.pacing => {
            warnings.push(
                "one load is an open loop, and the other is not, or it is unknown".to_owned(),
            );
        }
        _ => {}
    }
    warnings
}

/// Returns `true` if a merged report has a load that began after the end of another.
fn has_successive_parts(report: &Report) -> bool {
    let times: Option<Vec<_>> = report.parts.iter().map(measured_time).collect();
    let times = times.unwrap_or_default();
    let last_start = times.iter().map(|(start, _)| *start).reduce(f64::max);
    let first_end = times.iter().map(|(_, end)| *end).reduce(f64::min);
    last_start.zip(first_end).is_some_and(|(start, end)| start >= end)
}

/// Returns the start and the end of the measured time in seconds; `None` if they are unknown.
fn measured_time(part: &Part) -> Option<(f64, f64)> {
    let start = part.start.as_ref()?.actual.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
    let start = start + part.plan.as_ref().map_or(0.0, |plan| plan.warmup_seconds);
    #[expect(clippy::cast_precision_loss, reason = "a time of a few digits is enough")]
    let seconds = part.messages as f64 / part.rate;
    seconds.is_finite().then_some((start, start + seconds))
}

fn differences(base: &[(&str, String)], other: &[(&str, String)]) -> Vec<String> {
    let value = |rows: &[(&str, String)], name: &str| {
        let row = rows.iter().find(|(known, _)| *known == name);
        row.map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
    };
    let only_other = other.iter().filter(|(name, _)| base.iter().all(|(known, _)| known != name));
    let names = base.iter().chain(only_other).map(|(name, _)| *name);
    let differs = |name: &&str| !HARMLESS.contains(name) && value(base, name) != value(other, name);
    let text = |name| {
        format!("the loads differ in {name}: {} and {}", value(base, name), value(other, name))
    };
    names.filter(differs).map(text).collect()
}
