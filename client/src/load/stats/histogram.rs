//! Histogram of times.

use std::{fmt, sync::LazyLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram as HdrHistogram,
    serialization::{Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

use super::hdr_base64::{self, InvalidHistogram};

/// Histogram of times: nanoseconds with three significant digits, up to [`Histogram::MAX`].
///
/// In JSON it is an HDR histogram (V2, compressed) in base64, as in the HDR log format.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Histogram(Option<HdrHistogram<u64>>);

/// View of a histogram that is not allocated. An allocated one takes some hundred kilobytes, and most
/// histograms in a progress report are empty.
static EMPTY: LazyLock<HdrHistogram<u64>> = LazyLock::new(new_hdr);

fn new_hdr() -> HdrHistogram<u64> {
    let max = u64::try_from(Histogram::MAX.as_nanos()).expect("an hour is 3.6e12 ns");
    HdrHistogram::new_with_bounds(1, max, 3).expect("constants that hdrhistogram allows")
}

impl fmt::Debug for Histogram {
    /// Writes a summary: there are tens of thousands of buckets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, min, max) = (self.len(), self.min(), self.max());
        write!(f, "{count} times from {min:?} to {max:?}")
    }
}

impl Histogram {
    /// Longest time that is distinguished from longer ones.
    pub(crate) const MAX: Duration = Duration::from_hours(1);

    /// Decodes an HDR histogram in base64, of any tool.
    ///
    /// # Errors
    ///
    /// It is none.
    pub(crate) fn decode(text: &str) -> Result<Self, InvalidHistogram> {
        Ok(hdr_base64::decode(text)?.into())
    }

    /// Records a time.
    pub(crate) fn record(&mut self, time: Duration) {
        self.record_n(time, 1);
    }

    /// Records a time `count` times.
    pub(crate) fn record_n(&mut self, time: Duration, count: u64) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.get_or_insert_with(new_hdr).saturating_record_n(nanos, count);
    }

    /// Adds another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some(other) = &other.0 {
            self.0.get_or_insert_with(new_hdr).add(other).expect("both have the same bounds");
        }
    }

    /// Returns the number of recorded times.
    pub(crate) fn len(&self) -> u64 {
        self.hdr().len()
    }

    /// Returns `true` if no time was recorded.
    pub(crate) fn is_empty(&self) -> bool {
        self.hdr().is_empty()
    }

    /// Returns the time that a share of them, from 0 to 1, does not exceed; zero if there are none.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.hdr().value_at_quantile(share))
    }

    /// Returns the longest time; zero if there are none.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.hdr().max())
    }

    /// Returns the shortest time; zero if there are none.
    pub(crate) fn min(&self) -> Duration {
        Duration::from_nanos(self.hdr().min())
    }

    /// Returns the mean; zero if there are none.
    pub(crate) fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.hdr().mean() / 1e9)
    }

    /// Returns the HDR histogram, to draw it or to write it in another format.
    pub(crate) fn hdr(&self) -> &HdrHistogram<u64> {
        self.0.as_ref().unwrap_or(&EMPTY)
    }
}

impl From<HdrHistogram<u64>> for Histogram {
    /// Converts a histogram with any bounds. Times above [`Histogram::MAX`] count as that.
    fn from(hdr: HdrHistogram<u64>) -> Self {
        if hdr.is_empty() {
            return Self::default();
        }
        let bounds = |of: &HdrHistogram<u64>| (of.low(), of.high(), of.sigfig());
        if bounds(&hdr) == bounds(&EMPTY) {
            return Self(Some(hdr));
        }
        let mut converted = new_hdr();
        for value in hdr.iter_recorded() {
            let nanos = value.value_iterated_to().clamp(1, converted.high());
            converted.record_n(nanos, value.count_at_value()).expect("clamped to the bounds");
        }
        Self(Some(converted))
    }
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(self.hdr(), &mut bytes)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::decode(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_three_digits() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_micros(120));
        let quantile = histogram.quantile(0.99);
        assert!(quantile.abs_diff(Duration::from_micros(120)) < Duration::from_micros(1));
    }

    /// Histograms of other tools have other bounds.
    #[test]
    fn converts_histograms_with_other_bounds() {
        let mut other = HdrHistogram::<u64>::new_with_bounds(1000, 100_000_000_000_000, 2).unwrap();
        other.record_n(5_000_000, 3).unwrap();
        other.record(90_000_000_000_000).unwrap();
        let mut histogram = Histogram::from(other);
        histogram.merge(&Histogram::default());
        assert_eq!((histogram.len(), histogram.max().as_secs() / 60), (4, 60));
        let median = histogram.quantile(0.5);
        assert!(median.abs_diff(Duration::from_millis(5)) < Duration::from_micros(50));
        assert_eq!(Histogram::from(HdrHistogram::new(2).unwrap()), Histogram::default());
    }
}
