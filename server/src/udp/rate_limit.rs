//! How often each source is answered, in memory that does not grow with the number of sources.
//!
//! A token bucket for each source, kept as one number: the moment at which it will be full again (the
//! "virtual scheduling" of the generic cell rate algorithm, ITU-T I.371). It holds what may come in a
//! second. The sender of a datagram can claim any source, so there is a fixed number of buckets, and
//! sources that fall into the same one share it; which do, nobody outside can know or choose.
//!
//! It reads no clock: it is told the time.

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

use crate::config::limits::RATE_BUCKETS;

const SECOND_NS: u64 = 1_000_000_000;

/// The buckets of one listener. All its workers share them: who sends from several ports comes to
/// several workers.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Zero: any.
    per_second: AtomicU32,
    start: Instant,
    key: RandomState,
    /// When each is full again, in nanoseconds from `start`.
    full_at_ns: Box<[AtomicU64]>,
}

impl RateLimit {
    /// So many a second for each source, and as many at once; `None`: any number.
    pub(crate) fn new(per_second: Option<NonZeroU32>, start: Instant) -> Self {
        Self {
            per_second: AtomicU32::new(per_second.map_or(0, NonZeroU32::get)),
            start,
            key: RandomState::new(),
            full_at_ns: (0..RATE_BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// From now on, so many.
    pub(crate) fn set(&self, per_second: Option<NonZeroU32>) {
        self.per_second.store(per_second.map_or(0, NonZeroU32::get), SeqCst);
    }

    /// Takes a token of this source.
    ///
    /// # Errors
    ///
    /// If it has none left: how many it has a second.
    pub(crate) fn take(&self, source: IpAddr, now: Instant) -> Result<(), NonZeroU32> {
        let Some(per_second) = NonZeroU32::new(self.per_second.load(Relaxed)) else {
            return Ok(());
        };
        let token_ns = (SECOND_NS / u64::from(per_second.get())).max(1);
        let now_ns = now.saturating_duration_since(self.start).as_nanos();
        let now_ns = u64::try_from(now_ns).unwrap_or(u64::MAX / 2);
        let taken = |full_at_ns: u64| {
            let full_at_ns = full_at_ns.max(now_ns) + token_ns;
            (full_at_ns <= now_ns + SECOND_NS).then_some(full_at_ns)
        };
        let bucket = &self.full_at_ns[self.bucket(source)];
        bucket.try_update(Relaxed, Relaxed, taken).map(drop).map_err(|_| per_second)
    }

    fn bucket(&self, source: IpAddr) -> usize {
        let buckets = self.full_at_ns.len() as u64;
        usize::try_from(self.key.hash_one(source) % buckets).expect("less than their number")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn admitted(rate: &RateLimit, source: IpAddr, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| rate.take(source, now).is_ok()).count()
    }

    #[test]
    fn a_second_s_worth_at_once_and_then_as_time_goes_by() {
        let (start, ms) = (Instant::now(), Duration::from_millis(1));
        let rate = RateLimit::new(NonZeroU32::new(100), start);
        let source = ip("10.0.0.1");
        assert_eq!(admitted(&rate, source, 1000, start), 100);
        assert_eq!(rate.take(source, start).unwrap_err().get(), 100);
        assert_eq!(admitted(&rate, source, 1000, start + 9 * ms), 0);
        assert_eq!(admitted(&rate, source, 1000, start + 30 * ms), 3);
        assert_eq!(admitted(&rate, source, 1000, start + 60_000 * ms), 100, "never more");
    }

    #[test]
    fn the_lowest_and_the_highest_rate_and_none() {
        let start = Instant::now();
        let source = ip("::1");
        let lowest = RateLimit::new(NonZeroU32::new(1), start);
        assert_eq!(admitted(&lowest, source, 9, start), 1);
        assert_eq!(admitted(&lowest, source, 9, start + Duration::from_secs(1)), 1);
        let highest = RateLimit::new(Some(NonZeroU32::MAX), start);
        assert_eq!(admitted(&highest, source, 9, start), 9);
        let none = RateLimit::new(None, start);
        assert_eq!(admitted(&none, source, 1000, start), 1000);
        none.set(NonZeroU32::new(2));
        assert_eq!(admitted(&none, source, 1000, start), 2);
    }

    #[test]
    fn one_source_leaves_another_its_own() {
        let start = Instant::now();
        let rate = RateLimit::new(NonZeroU32::new(10), start);
        let one = ip("10.0.0.1");
        let apart = |other: &IpAddr| rate.bucket(*other) != rate.bucket(one);
        let other = (2..=9).map(|last| IpAddr::from([10, 0, 0, last])).find(apart).unwrap();
        assert_eq!(admitted(&rate, one, 100, start), 10);
        assert_eq!(admitted(&rate, other, 100, start), 10);
    }

    /// A million sources that nobody has: what there is for all together is bounded, and so is the memory.
    #[test]
    fn any_number_of_sources_share_a_fixed_number_of_buckets() {
        let start = Instant::now();
        let rate = RateLimit::new(NonZeroU32::new(1), start);
        let sources = (0..1_000_000_u32).map(|bits| IpAddr::from(bits.to_be_bytes()));
        let admitted = sources.filter(|&source| rate.take(source, start).is_ok()).count();
        assert_eq!(admitted, RATE_BUCKETS);
    }
}
