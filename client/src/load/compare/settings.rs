//! Differences between the settings of two loads, which make their figures differ as well.

use crate::load::report::{document::Report, rows::settings, verdict::Verdict};

/// Settings that may differ without a remark: what stops a load, and the bytes of its payload.
const HARMLESS: [&str; 4] = ["duration", "messages", "warm-up", "seed"];

/// Returns the warnings for two reports with these names.
pub(super) fn warnings(base: (&str, &Report), other: (&str, &Report)) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, report) in [base, other] {
        if report.verdict != Verdict::Valid {
            warnings.push(format!("{name} is {}, so its figures may be wrong", report.verdict));
        }
        if report.separate_seconds().is_some() {
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
