//! Numbers that have not arrived, as ranges.

use std::{collections::BTreeMap, ops::Range};

/// Maximum number of ranges that are remembered. An event that arrives after its range was forgotten counts as a duplicate.
const MAX_RANGES: usize = 4096;

/// Set of numbers that have not arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent(
    /// End of each range, by its first number.
    BTreeMap<u64, u64>,
);

impl Absent {
    /// Adds numbers that are greater than all in the set.
    pub(super) fn push(&mut self, numbers: Range<u64>) {
        self.0.insert(numbers.start, numbers.end);
        if self.0.len() > MAX_RANGES {
            self.0.pop_first();
        }
    }

    /// Removes a number; returns `true` if it was in the set.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        self.remove_all(number..number.saturating_add(1)) > 0
    }

    /// Removes numbers; returns how many of them were in the set.
    pub(super) fn remove_all(&mut self, numbers: Range<u64>) -> u64 {
        let mut removed = 0;
        while let Some((&first, &end)) = self.0.range(..numbers.end).next_back()
            && end > numbers.start
        {
            self.0.remove(&first);
            let (from, to) = (first.max(numbers.start), end.min(numbers.end));
            removed += to - from;
            if to < end {
                self.0.insert(to, end);
            }
            if first < from {
                self.0.insert(first, from);
                break;
            }
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_numbers_from_the_middle_of_ranges() {
        let mut absent = Absent::default();
        absent.push(10..20);
        absent.push(30..31);
        assert!(absent.remove(15) && !absent.remove(15) && !absent.remove(20));
        assert_eq!(absent.remove_all(14..31), 6);
        assert_eq!(absent.remove_all(0..100), 4);
        assert_eq!(absent.remove_all(0..100), 0);
    }

    #[test]
    fn forgets_the_first_ranges_over_the_limit() {
        let mut absent = Absent::default();
        (0..=MAX_RANGES as u64).for_each(|number| absent.push(2 * number..2 * number + 1));
        assert!(!absent.remove(0) && absent.remove(2));
    }
}
