//! When to look at which connection again, cheaply for those whose deadline moves with every byte.
//!
//! A deadline that moves later costs nothing: the old entry fires, its owner is asked, and a new
//! entry is made for the true deadline. Only a deadline that moves *earlier* than the entry that is
//! armed needs a new one. The owner keeps the [`Armed`] of its entry; an entry that is no longer the
//! one armed is stale and ignored.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// The entries of one worker, earliest first. A key names the owner.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Instant, usize)>>);

/// The entry that is to fire for one owner, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Armed(Option<Instant>);

impl Timers {
    /// Sees to it that `key` fires by `deadline`.
    pub(crate) fn arm(&mut self, key: usize, armed: &mut Armed, deadline: Instant) {
        if armed.0.is_none_or(|already| deadline < already) {
            self.0.push(Reverse((deadline, key)));
            armed.0 = Some(deadline);
        }
    }

    /// How many entries there are, stale ones included.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Throws stale entries away: those of which `is_armed` says that they are.
    pub(crate) fn keep(&mut self, mut is_armed: impl FnMut(usize, Instant) -> bool) {
        self.0.retain(|&Reverse((at, key))| is_armed(key, at));
    }

    /// When the next entry fires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes an entry that is due: its key, and the moment that its owner's [`Armed::fires`] checks.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let Reverse((at, key)) = *self.0.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.0.pop();
        // Thousands who come at once have a deadline soon; when it is past, their room is given back.
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        Some((key, at))
    }
}

impl Armed {
    /// Whether an entry of this moment is the one armed.
    pub(crate) fn is(self, at: Instant) -> bool {
        self.0 == Some(at)
    }

    /// Whether an entry of this moment is the one armed; if so, it is no longer.
    pub(crate) fn fires(&mut self, at: Instant) -> bool {
        self.0.take_if(|armed| *armed == at).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_later_deadline_makes_no_entry_and_an_earlier_one_replaces() {
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
    fn stale_entries_can_be_thrown_away() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        for earlier in (0..100).rev() {
            timers.arm(7, &mut armed, start + earlier * second);
        }
        assert_eq!(timers.len(), 100);
        timers.keep(|key, at| key == 7 && armed.is(at));
        assert_eq!((timers.len(), timers.next()), (1, Some(start)));
    }
}
