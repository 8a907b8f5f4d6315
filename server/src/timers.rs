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

    /// When the next entry fires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes an entry that is due: its key, and the moment that its owner's [`Armed::fires`] checks.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let Reverse((at, key)) = *self.0.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.0.pop();
        Some((key, at))
    }
}

impl Armed {
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
}
