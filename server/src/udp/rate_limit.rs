//! The limit on answers per second and source, in memory that does not grow with the number of sources.
//!
//! Each source has a token bucket that holds the tokens of one second. It is stored as one number: the time at
//! which it will be full again ("virtual scheduling", the generic cell rate algorithm of ITU-T I.371). The
//! sender of a datagram can claim any source, so the number of buckets is fixed, and sources with the same
//! hash share a bucket. The hash has a random key: a sender can neither know nor choose its bucket.
//!
//! This module reads no clock; its caller passes the time.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    time::Instant,
};

use crate::config::limits::{DATAGRAM_RATE_MAX, RATE_BUCKETS};

const SECOND_NS: u64 = 1_000_000_000;

/// The buckets of one listener, shared by all workers: a peer that sends from several ports reaches several
/// workers.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Tokens per second for each source. Zero: unlimited. Above [`DATAGRAM_RATE_MAX`]: that rate.
    per_second: AtomicU32,
    start: Instant,
    key: RandomState,
    /// The time at which each bucket is full again, in nanoseconds after `start`.
    full_at_ns: Box<[AtomicU64]>,
}

impl RateLimit {
    /// Creates full buckets for this rate, which is also the maximum burst. `None`: unlimited.
    pub(crate) fn new(per_second: Option<NonZeroU32>, start: Instant) -> Self {
        Self {
            per_second: AtomicU32::new(per_second.map_or(0, NonZeroU32::get)),
            start,
            key: RandomState::new(),
            full_at_ns: (0..RATE_BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Changes the rate.
    pub(crate) fn set(&self, per_second: Option<NonZeroU32>) {
        self.per_second.store(per_second.map_or(0, NonZeroU32::get), SeqCst);
    }

    /// Returns the rate. `None`: unlimited.
    pub(crate) fn rate(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.per_second.load(Relaxed))
    }

    /// Takes up to `wanted` tokens of this rate from the bucket of this source. Returns their number: as many as if they were
    /// taken one by one.
    pub(crate) fn take(
        &self,
        source: IpAddr,
        wanted: u64,
        per_second: NonZeroU32,
        now: Instant,
    ) -> u64 {
        let token_ns = token_ns(per_second);
        let now_ns = now.saturating_duration_since(self.start).as_nanos();
        let now_ns = u64::try_from(now_ns).unwrap_or(u64::MAX / 2);
        let mut taken = 0;
        let take = |full_at_ns: u64| {
            let full_at_ns = full_at_ns.max(now_ns);
            let left = (now_ns + SECOND_NS).saturating_sub(full_at_ns) / token_ns;
            taken = left.min(wanted);
            (taken > 0).then(|| full_at_ns + taken * token_ns)
        };
        let bucket = &self.full_at_ns[self.bucket(source)];
        // Without a token left, the bucket stays as it is.
        let _ = bucket.try_update(Relaxed, Relaxed, take);
        taken
    }

    fn bucket(&self, source: IpAddr) -> usize {
        let buckets = self.full_at_ns.len() as u64;
        usize::try_from(self.key.hash_one(source) % buckets)
            .expect("the index is below the number of buckets")
    }
}

/// Returns the interval between two tokens, to the nearest nanosecond and at least one. A rate above
/// [`DATAGRAM_RATE_MAX`] counts as that one.
fn token_ns(per_second: NonZeroU32) -> u64 {
    let per_second = u64::from(per_second.min(DATAGRAM_RATE_MAX).get());
    (SECOND_NS + per_second / 2) / per_second
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    /// Takes tokens one by one, and returns how many of them there were.
    fn admitted(rate: &RateLimit, source: IpAddr, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| is_admitted(rate, source, now)).count()
    }

    fn is_admitted(rate: &RateLimit, source: IpAddr, now: Instant) -> bool {
        rate.rate().is_none_or(|per_second| rate.take(source, 1, per_second, now) == 1)
    }

    #[test]
    fn a_source_has_a_burst_of_one_second_and_then_the_rate() {
        let (start, ms) = (Instant::now(), Duration::from_millis(1));
        let rate = RateLimit::new(NonZeroU32::new(100), start);
        let source = ip("10.0.0.1");
        assert_eq!(admitted(&rate, source, 1000, start), 100);
        assert!(!is_admitted(&rate, source, start));
        assert_eq!(admitted(&rate, source, 1000, start + 9 * ms), 0);
        assert_eq!(admitted(&rate, source, 1000, start + 30 * ms), 3);
        assert_eq!(
            admitted(&rate, source, 1000, start + 60_000 * ms),
            100,
            "the burst is the maximum"
        );
    }

    #[test]
    fn accepts_the_lowest_rate_the_highest_rate_and_no_limit() {
        let start = Instant::now();
        let source = ip("::1");
        let lowest = RateLimit::new(NonZeroU32::new(1), start);
        assert_eq!(admitted(&lowest, source, 9, start), 1);
        assert_eq!(admitted(&lowest, source, 9, start + Duration::from_secs(1)), 1);
        let highest = RateLimit::new(Some(NonZeroU32::MAX), start);
        assert_eq!(admitted(&highest, source, 9, start), 9);
        let unlimited = RateLimit::new(None, start);
        assert_eq!(admitted(&unlimited, source, 1000, start), 1000);
        unlimited.set(NonZeroU32::new(2));
        assert_eq!(admitted(&unlimited, source, 1000, start), 2);
    }

    #[test]
    fn the_rate_is_met_within_half_a_percent_up_to_its_maximum() {
        for rate in [1, 3, 9_999, 10_000, 123_457, 7_654_321, 9_999_999, DATAGRAM_RATE_MAX.get()] {
            let interval = token_ns(NonZeroU32::new(rate).unwrap());
            let met = SECOND_NS / interval;
            assert!(met.abs_diff(rate.into()) * 200 <= u64::from(rate), "{rate}: {met}");
        }
        let start = Instant::now();
        let highest = RateLimit::new(Some(NonZeroU32::MAX), start);
        let most = usize::try_from(DATAGRAM_RATE_MAX.get()).unwrap();
        assert_eq!(admitted(&highest, ip("::1"), most + 9, start), most);
    }

    /// Any sequence of batches: one look-up admits as many datagrams as one look-up for each.
    #[test]
    fn a_batch_takes_as_many_tokens_as_its_datagrams_one_by_one() {
        let (start, source) = (Instant::now(), ip("10.0.0.1"));
        for per_second in [1, 2, 7, 100, 16_384, DATAGRAM_RATE_MAX.get(), u32::MAX] {
            let per_second = NonZeroU32::new(per_second).unwrap();
            let [batches, singles] = [(); 2].map(|()| RateLimit::new(Some(per_second), start));
            let (mut now, mut step) = (start, 1_u64);
            for batch in (1..=16).cycle().take(2000) {
                step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                now +=
                    Duration::from_nanos((step >> 40) * 40 / u64::from(per_second.get().min(40)));
                let one_by_one = admitted(&singles, source, batch, now);
                let at_once = batches.take(source, batch as u64, per_second, now);
                assert_eq!(at_once, one_by_one as u64, "{batch} datagrams at {per_second}");
            }
        }
    }

    /// A lower rate has larger tokens, of which the time until the bucket is full again is not a multiple.
    #[test]
    fn a_bucket_that_a_higher_rate_has_emptied_has_no_tokens_of_a_lower_one() {
        let start = Instant::now();
        let rate = RateLimit::new(NonZeroU32::new(3), start);
        let source = ip("10.0.0.1");
        assert_eq!(admitted(&rate, source, 2, start), 2);
        rate.set(NonZeroU32::new(2));
        assert_eq!(admitted(&rate, source, 9, start), 0);
    }

    #[test]
    fn a_source_at_its_limit_does_not_affect_another() {
        let start = Instant::now();
        let rate = RateLimit::new(NonZeroU32::new(10), start);
        let one = ip("10.0.0.1");
        let has_other_bucket = |other: &IpAddr| rate.bucket(*other) != rate.bucket(one);
        let other =
            (2..=9).map(|last| IpAddr::from([10, 0, 0, last])).find(has_other_bucket).unwrap();
        assert_eq!(admitted(&rate, one, 100, start), 10);
        assert_eq!(admitted(&rate, other, 100, start), 10);
    }

    /// A million forged sources: their answers are bounded in total, and so is the memory.
    #[test]
    fn any_number_of_sources_share_a_fixed_number_of_buckets() {
        let start = Instant::now();
        let rate = RateLimit::new(NonZeroU32::new(1), start);
        let sources = (0..1_000_000_u32).map(|bits| IpAddr::from(bits.to_be_bytes()));
        let admitted = sources.filter(|&source| is_admitted(&rate, source, start)).count();
        assert_eq!(admitted, RATE_BUCKETS);
    }
}
