//! Compact histogram of times, for many of them: one for each second of a load.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram as HdrHistogram,
    serialization::{Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

use super::{hdr_base64, histogram::Histogram};

/// Histogram of times: nanoseconds with two significant digits, up to [`Histogram::MAX`].
///
/// It holds only the buckets that have a count: a second of a load has about a hundred. In JSON it is an HDR histogram (V2,
/// compressed) in base64, as in the HDR log format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CompactHistogram {
    /// Count by the longest time of the bucket, in nanoseconds.
    counts: BTreeMap<u64, u64>,
    /// Number of times.
    len: u64,
    /// Longest time in nanoseconds, with the digits of [`Histogram`]; JSON has those of the buckets.
    max: u64,
}

/// Number of significant digits.
const DIGITS: u8 = 2;

/// Buckets, without counts.
static BUCKETS: LazyLock<HdrHistogram<u64>> = LazyLock::new(new_hdr);

fn new_hdr() -> HdrHistogram<u64> {
    let max = u64::try_from(Histogram::MAX.as_nanos()).expect("an hour is 3.6e12 ns");
    HdrHistogram::new_with_bounds(1, max, DIGITS).expect("constants that hdrhistogram allows")
}

impl CompactHistogram {
    /// Adds the times of a histogram.
    pub(crate) fn add(&mut self, other: &Histogram) {
        self.add_hdr(other.hdr());
    }

    /// Adds another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            self.add_count(*bucket, *count);
        }
        self.max = self.max.max(other.max);
    }

    /// Returns the number of times.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns `true` if it has no time.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the time that a share of them, from 0 to 1, does not exceed; zero if there are none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "a rank of more than 2^53 does not occur")]
        let rank = share.clamp(0.0, 1.0) * self.len as f64;
        let mut passed = 0_u64;
        for (bucket, count) in &self.counts {
            passed = passed.saturating_add(*count);
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            if passed as f64 >= rank {
                return Duration::from_nanos((*bucket).min(self.max));
            }
        }
        self.max()
    }

    /// Returns the longest time; zero if there are none.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// Returns the longest time of each bucket that has a count, in nanoseconds, and its count.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().map(|(bucket, count)| (*bucket, *count))
    }

    fn add_count(&mut self, bucket: u64, count: u64) {
        let sum = self.counts.entry(bucket).or_default();
        *sum = sum.saturating_add(count);
        self.len = self.len.saturating_add(count);
    }

    fn add_hdr(&mut self, hdr: &HdrHistogram<u64>) {
        for value in hdr.iter_recorded() {
            let nanos = value.value_iterated_to().clamp(1, BUCKETS.high());
            let bucket = BUCKETS.highest_equivalent(nanos);
            self.add_count(bucket, value.count_at_value());
        }
        self.max = self.max.max(hdr.max().min(BUCKETS.high()));
    }
}

impl Serialize for CompactHistogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hdr = new_hdr();
        for (bucket, count) in &self.counts {
            hdr.saturating_record_n((*bucket).min(self.max), *count);
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&hdr, &mut bytes)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for CompactHistogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hdr = hdr_base64::decode(&text).map_err(serde::de::Error::custom)?;
        let mut histogram = Self::default();
        histogram.add_hdr(&hdr);
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(micros: &[u64]) -> CompactHistogram {
        let mut exact = Histogram::default();
        for &time in micros {
            exact.record(Duration::from_micros(time));
        }
        let mut compact = CompactHistogram::default();
        compact.add(&exact);
        compact
    }

    fn is_near(time: Duration, micros: u64) -> bool {
        time.abs_diff(Duration::from_micros(micros)) <= Duration::from_micros(micros) / 100
    }

    #[test]
    fn percentiles_are_within_one_percent() {
        let times: Vec<u64> = (1..=1000).map(|step| step * 7).collect();
        let compact = histogram(&times);
        for (share, micros) in [(0.5, 3500), (0.99, 6930), (0.999, 6993), (1.0, 7000)] {
            assert!(
                is_near(compact.quantile(share), micros),
                "{share}: {:?}",
                compact.quantile(share)
            );
        }
        assert!(is_near(compact.quantile(0.0), 7));
        assert_eq!(CompactHistogram::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn merging_adds_counts_and_keeps_the_longest_time() {
        let mut sum = histogram(&[10, 10, 10]);
        sum.merge(&histogram(&[1000]));
        assert_eq!(sum.len(), 4);
        assert!(is_near(sum.quantile(0.75), 10));
        assert!(is_near(sum.quantile(0.76), 1000));
        assert!(is_near(sum.max(), 1000));
    }

    #[test]
    fn survives_serialization() {
        let compact = histogram(&[5, 7, 120, 70_000_000]);
        let text = serde_json::to_string(&compact).unwrap();
        let back: CompactHistogram = serde_json::from_str(&text).unwrap();
        assert_eq!(back.len(), 4);
        for share in [0.25, 0.5, 0.75] {
            assert_eq!(back.quantile(share), compact.quantile(share));
        }
        assert!(is_near(back.max(), 70_000_000), "{:?}", back.max());
        let empty = serde_json::to_string(&CompactHistogram::default()).unwrap();
        assert!(serde_json::from_str::<CompactHistogram>(&empty).unwrap().is_empty());
    }
}
