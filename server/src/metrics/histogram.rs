//! A histogram of durations, with fixed bounds.

use std::time::Duration;

use super::counter::Counter;

/// Upper bounds of the buckets, in nanoseconds: 1, 2 and 5 in each decade from 1 µs to 10 s.
pub(crate) const BOUNDS_NS: [u64; 22] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// One bucket for each bound, and one for what is longer.
pub(super) const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// For each number of significant bits of a duration, the bucket of the shortest duration with so many bits. The next bucket
/// is the only other one that such a duration can be in, since each bound is at least twice the one before.
const FIRST_BUCKET: [u8; 65] = {
    let mut first = [0; 65];
    let mut bits = 1;
    while bits <= 64 {
        let shortest = 1 << (bits - 1);
        let mut bucket = 0;
        while bucket < BOUNDS_NS.len() && BOUNDS_NS[bucket] < shortest {
            bucket += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are 23 buckets")]
        let bucket = bucket as u8;
        first[bits] = bucket;
        bits += 1;
    }
    first
};

const _: () = {
    let mut bound = 1;
    while bound < BOUNDS_NS.len() {
        assert!(BOUNDS_NS[bound] >= 2 * BOUNDS_NS[bound - 1]);
        bound += 1;
    }
};

/// A histogram with one writer at a time and any number of readers.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    pub(super) buckets: [Counter; BUCKETS],
    pub(super) sum_ns: Counter,
}

impl Histogram {
    /// Records a duration.
    pub(crate) fn record(&self, duration: Duration) {
        self.record_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records a duration in nanoseconds.
    #[inline]
    pub(crate) fn record_ns(&self, duration: u64) {
        let bits = (u64::BITS - duration.leading_zeros()) as usize;
        let first = usize::from(FIRST_BUCKET[bits]);
        let is_longer = BOUNDS_NS.get(first).is_some_and(|&bound| duration > bound);
        self.buckets[first + usize::from(is_longer)].add(1);
        self.sum_ns.add(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket_of(duration: u64) -> usize {
        let histogram = Histogram::default();
        histogram.record_ns(duration);
        histogram.buckets.iter().position(|bucket| bucket.get() == 1).unwrap()
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let around = |&bound: &u64| [bound - 1, bound, bound + 1, bound * 3 / 2];
        let powers = (0..64).map(|bits| 1_u64 << bits);
        for duration in
            BOUNDS_NS.iter().flat_map(around).chain(powers).chain([0, 1, 3, u64::MAX - 1, u64::MAX])
        {
            let expected = BOUNDS_NS.partition_point(|&bound| bound < duration);
            assert_eq!(bucket_of(duration), expected, "{duration} ns");
        }
    }
}
