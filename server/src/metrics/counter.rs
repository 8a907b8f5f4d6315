//! A counter.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter with one writer at a time and any number of readers.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        // One writer, so this need not be the (slower) atomic read-modify-write.
        self.0.store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// Adds a number that is not negative, as sessions count their messages.
    #[inline]
    pub(crate) fn add_messages(&self, more: isize) {
        debug_assert!(more >= 0, "a counter does not go back");
        self.add(more.cast_unsigned() as u64);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
