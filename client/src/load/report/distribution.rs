//! Distribution of times, as the report shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::stats::{format::nanos, histogram::Histogram};

/// Histogram of times, and its usual percentiles, in nanoseconds with three digits; null if it is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Distribution {
    /// Number of times.
    pub(crate) count: u64,
    /// Shortest time.
    pub(crate) min_ns: Option<u64>,
    /// Mean.
    pub(crate) mean_ns: Option<u64>,
    /// Median.
    pub(crate) p50_ns: Option<u64>,
    /// Time that 90 % do not exceed.
    pub(crate) p90_ns: Option<u64>,
    /// Time that 99 % do not exceed.
    pub(crate) p99_ns: Option<u64>,
    /// Time that 99.9 % do not exceed.
    pub(crate) p99_9_ns: Option<u64>,
    /// Longest time.
    pub(crate) max_ns: Option<u64>,
    /// Whole histogram: an HDR histogram (V2, compressed) in base64, as in the HDR log format.
    #[schemars(with = "String")]
    pub(crate) histogram: Histogram,
}

impl From<Histogram> for Distribution {
    fn from(histogram: Histogram) -> Self {
        let known = |time| (!histogram.is_empty()).then(|| nanos(time));
        let quantile = |share| known(histogram.quantile(share));
        Self {
            count: histogram.len(),
            min_ns: known(histogram.min()),
            mean_ns: known(histogram.mean()),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            p99_9_ns: quantile(0.999),
            max_ns: known(histogram.max()),
            histogram,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_has_no_percentiles() {
        let empty = Distribution::from(Histogram::default());
        assert_eq!((empty.count, empty.min_ns, empty.p99_ns, empty.max_ns), (0, None, None, None));
    }
}
