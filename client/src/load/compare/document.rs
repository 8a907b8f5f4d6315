//! Document that `load compare --json` writes, and the table and the page show.
//!
//! A change of its form that readers notice raises [`VERSION`].

use schemars::JsonSchema;
use serde::Serialize;

use crate::load::report::{document::AssertionResult, load_spec::LoadSpec, verdict::Verdict};

/// Version of the form of the document.
pub(super) const VERSION: u32 = 1;

/// Comparison of two reports of a load.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Comparison of two reports of echo-client load")]
pub(super) struct Comparison {
    /// Version of this form.
    pub(super) version: u32,
    /// Worst verdict of both reports.
    pub(super) verdict: Verdict,
    /// Reason of the verdict, as a sentence.
    pub(super) reason: String,
    /// Report that is compared with.
    pub(super) base: Side,
    /// Report that is compared.
    pub(super) other: Side,
    /// Reasons for which the comparison may mislead, as sentences.
    pub(super) warnings: Vec<String>,
    /// How the confidence was computed; null if it is unknown, for the reason that the warnings have.
    pub(super) confidence: Option<Confidence>,
    /// Metrics that both reports have.
    pub(super) metrics: Vec<Change>,
    /// Results of the assertions.
    pub(super) assertions: Vec<AssertionResult>,
}

/// Report of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Side {
    /// File from which it was read.
    pub(super) file: String,
    /// Its verdict.
    pub(super) verdict: Verdict,
    /// Reason of its verdict, as a sentence.
    pub(super) reason: String,
    /// Measured time.
    pub(super) seconds: f64,
    /// Specification of the load; null if it was merged, or is unknown.
    pub(super) plan: Option<LoadSpec>,
}

/// Method of the confidence: a bootstrap over blocks of the intervals of both time series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Confidence {
    /// Level of the intervals.
    pub(super) level: f64,
    /// Number of resamples.
    pub(super) resamples: usize,
    /// Intervals of the time series of the base.
    pub(super) base_intervals: usize,
    /// Intervals of the time series of the other report.
    pub(super) other_intervals: usize,
    /// Length of a block of the base in seconds.
    pub(super) base_block_seconds: f64,
    /// Length of a block of the other report in seconds.
    pub(super) other_block_seconds: f64,
}

/// Metric in both reports.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Change {
    /// Name of the metric, as in assertions.
    pub(super) metric: String,
    /// Value in the base; times are in nanoseconds. Null if it is unknown.
    pub(super) base: Option<f64>,
    /// Value in the other report.
    pub(super) other: Option<f64>,
    /// Value in the other report divided by that in the base; null if one is unknown, or the base is 0.
    pub(super) ratio: Option<f64>,
    /// Interval of the ratio; null if there is no confidence.
    pub(super) interval: Option<Interval>,
    /// What the change is between these two loads, if the interval does not include 1, with 1 % to spare for percentiles and 0.1 % for rates. Null if there is no confidence.
    pub(super) effect: Option<Effect>,
}

/// Effect of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    /// The change is not significant.
    None,
    /// A higher rate, or a shorter time.
    Better,
    /// A lower rate, or a longer time.
    Worse,
}

/// Confidence interval of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Interval {
    /// Lower end.
    pub(super) low: f64,
    /// Upper end.
    pub(super) high: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path of the committed schema. To update it: `UPDATE_SCHEMA=1 cargo test -p client schema`.
    const COMMITTED: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/load-comparison.schema.json");

    #[test]
    fn the_committed_schema_describes_the_comparison() {
        let schema =
            serde_json::to_string_pretty(&schemars::schema_for!(Comparison)).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(COMMITTED, &schema).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap();
        assert!(committed == schema, "run UPDATE_SCHEMA=1 cargo test -p client schema");
    }
}
