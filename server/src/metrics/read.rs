//! The sums that the admin listener reads.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    histogram::{BOUNDS_NS, BUCKETS, Histogram},
    listener::{ListenerMetrics, UDP},
};

/// The sum of histograms at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistogramTotals {
    /// Number of durations in each bucket: up to its bound in [`BOUNDS_NS`], and above the bound before it.
    pub(crate) buckets: [u64; BUCKETS],
    pub(crate) sum_ns: u64,
}

impl Histogram {
    /// Adds the histogram to `totals`.
    pub(crate) fn add_to(&self, totals: &mut HistogramTotals) {
        for (total, bucket) in totals.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.get();
        }
        totals.sum_ns = totals.sum_ns.wrapping_add(self.sum_ns.get());
    }
}

impl HistogramTotals {
    /// Returns the number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the bound, in nanoseconds, that this share of the durations did not exceed. `None`: there are none, or the
    /// bound is above the last one.
    pub(crate) fn quantile_bound_ns(&self, share: f64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank needs no more precision"
        )]
        let rank = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|bucket| {
            seen += bucket;
            seen >= rank
        });
        BOUNDS_NS.get(bucket?).copied()
    }
}

impl ListenerMetrics {
    /// Returns whether it receives datagrams.
    pub(crate) fn is_udp(&self) -> bool {
        self.protocol == UDP
    }

    /// Returns whether connections have TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.has_tls.load(Relaxed)
    }

    pub(super) fn was_open(&self) -> bool {
        self.was_open.load(Relaxed)
    }

    /// Returns whether the listener is open.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// Returns when the certificate of an open listener expires, in seconds since 1970.
    pub(crate) fn certificate_expiry(&self) -> Option<u64> {
        Some(self.certificate_expiry.load(Relaxed)).filter(|&at| at > 0 && self.is_open())
    }

    /// Returns the number of connections that are open or wait for a worker.
    pub(crate) fn open(&self) -> u64 {
        // In this order, so that the result is never negative.
        let closed = self.sum(|counters| counters.closed.sum());
        self.sum(|counters| counters.accepted.get()).saturating_sub(closed)
    }

    /// Returns the sum of the histogram of latencies over all workers.
    pub(crate) fn latency(&self) -> HistogramTotals {
        let mut totals = HistogramTotals::default();
        self.workers.iter().for_each(|worker| worker.latency.add_to(&mut totals));
        totals
    }
}

/// Converts nanoseconds to seconds.
#[expect(clippy::cast_precision_loss, reason = "a float has the nanoseconds of 104 days")]
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    // Divided, so that a bound is the float nearest to its decimal number.
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn totals_add_up_histograms_and_find_quantiles() {
        let histograms = [Histogram::default(), Histogram::default()];
        for micros in 1..=100 {
            histograms[usize::from(micros > 50)].record(Duration::from_micros(micros));
        }
        let mut totals = HistogramTotals::default();
        assert_eq!(totals.quantile_bound_ns(0.5), None);
        for histogram in &histograms {
            histogram.add_to(&mut totals);
        }
        assert_eq!((totals.count(), totals.sum_ns), (100, 5_050_000));
        assert_eq!(totals.quantile_bound_ns(0.5), Some(50_000));
        assert_eq!(totals.quantile_bound_ns(0.51), Some(100_000));
        assert_eq!(totals.quantile_bound_ns(0.0), Some(1_000));
        histograms[0].record(Duration::MAX);
        histograms[0].add_to(&mut totals);
        assert_eq!(totals.quantile_bound_ns(1.0), None, "longer than the last bound");
    }

    #[test]
    fn a_listener_has_the_connections_open_that_were_accepted_and_not_closed() {
        let registry = Registry::new(2);
        let listener = registry.listener("127.0.0.1:7", "text");
        listener.acceptor.accepted.add(3);
        listener.worker(0).closed.of(0).add(1);
        listener.worker(1).closed.of(31).add(1);
        assert_eq!(listener.open(), 1);
    }

    #[test]
    fn a_listener_is_listed_from_its_first_opening_on() {
        let registry = Registry::new(1);
        // As of a reload that is refused after it has bound the listener.
        let listener = registry.listener("127.0.0.1:7", "text");
        assert!(registry.opened().is_empty());
        listener.set_open(true);
        listener.set_open(false);
        assert_eq!(registry.opened().len(), 1);
        assert!(!registry.opened()[0].is_open());
    }
}
