//! Timers for deadlines that move with every received byte.
//!
//! A deadline that moves later costs nothing: the old entry fires, the worker asks the connection for its
//! deadline, and arms a new entry. Only a deadline that moves *earlier* than the armed entry needs a new one. The
//! owner keeps the [`Armed`] of its entry; an entry that is no longer armed is stale and ignored.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// The entries of one worker, earliest first. A key identifies the owner.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Instant, usize)>>);

/// The armed entry of one owner.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed(Option<Instant>);

impl Timers {
    /// Arms an entry that fires for `key` by `deadline`.
    pub(crate) fn arm(&mut self, key: usize, armed: &mut Armed, deadline: Instant) {
        if armed.0.is_none_or(|already| deadline < already) {
            self.0.push(Reverse((deadline, key)));
            armed.0 = Some(deadline);
        }
    }

    /// Returns the number of entries, including stale ones.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes the entries for which `is_armed` returns false.
    pub(crate) fn retain(&mut self, mut is_armed: impl FnMut(usize, Instant) -> bool) {
        self.0.retain(|&Reverse((at, key))| is_armed(key, at));
    }

    /// Returns the time at which the next entry fires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Removes an entry that is due. Returns its key, and the time to pass to the owner's [`Armed::fires`].
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let Reverse((at, key)) = *self.0.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.0.pop();
        // A burst of new connections arms thousands of entries; return their memory when they have fired.
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        Some((key, at))
    }
}

impl Armed {
    /// Returns whether the entry for this time is armed.
    pub(crate) fn is(self, at: Instant) -> bool {
        self.0 == Some(at)
    }

    /// Disarms the entry for this time. Returns whether it was armed.
    pub(crate) fn fires(&mut self, at: Instant) -> bool {
        self.0.take_if(|armed| *armed == at).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_earlier_deadline_replaces_the_entry_and_a_later_one_adds_none() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        timers.arm(7, &mut armed, start + 2 * second);
        timers.arm(7, &mut armed, start + 3 * second);
        assert_eq!(timers.0.len(), 1);
        timers.arm(7, &mut armed, start + second);
        assert_eq!(timers.next(), Some(start + second));
        assert_eq!(timers.pop_due(start), None);

        let (key, at) = timers.pop_due(start + 2 * second).unwrap();
        assert!(key == 7 && armed.fires(at));
        let (_, stale) = timers.pop_due(start + 2 * second).unwrap();
        assert!(!armed.fires(stale));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn retain_removes_stale_entries() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        for earlier in (0..100).rev() {
            timers.arm(7, &mut armed, start + earlier * second);
        }
        assert_eq!(timers.len(), 100);
        timers.retain(|key, at| key == 7 && armed.is(at));
        assert_eq!((timers.len(), timers.next()), (1, Some(start)));
    }
}
