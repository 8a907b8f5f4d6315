//! Rate against latency: the steps of a search for the highest rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// Steps of a search, and its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RateCurve {
    /// Condition, as it was typed.
    pub(crate) condition: String,
    /// Highest confirmed rate in messages per second; null if there is none.
    pub(crate) found: Option<f64>,
    /// Steps, ordered by rate.
    pub(crate) steps: Vec<RateStep>,
}

/// Step of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RateStep {
    /// Messages per second that were due.
    pub(crate) target_rate: f64,
    /// Messages per second that returned.
    pub(crate) achieved_rate: f64,
    /// Median latency.
    pub(crate) p50_ns: Option<u64>,
    /// Latency that 99 % do not exceed.
    pub(crate) p99_ns: Option<u64>,
    /// Longest latency.
    pub(crate) max_ns: Option<u64>,
    /// Verdict on the step.
    pub(crate) verdict: Verdict,
    /// The condition held.
    pub(crate) holds: bool,
    /// Reason why it did not hold; empty if it held.
    pub(crate) remark: String,
}
