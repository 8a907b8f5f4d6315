//! Check of the numbers of a room's events: every number arrives once, and in order.

use std::{fmt, ops::RangeInclusive};

/// Number of ranges of missing numbers that are kept, to tell a late event from a duplicate.
const MAX_MISSING: usize = 64;

/// A number that is not the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Fault {
    /// These events did not arrive, and the server has not said so.
    Missing(RangeInclusive<u64>),
    /// An event arrived twice.
    Duplicate(u64),
    /// An event arrived after later ones.
    Late(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(range) if range.start() == range.end() => {
                write!(f, "Event {} is missing", range.start())
            }
            Self::Missing(range) => {
                let (first, last) = (range.start(), range.end());
                write!(f, "Events {first} to {last} are missing ({})", last - first + 1)
            }
            Self::Duplicate(number) => write!(f, "Event {number} arrived twice"),
            Self::Late(number) => write!(f, "Event {number} arrived after later ones"),
        }
    }
}

/// Number of events of each fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::chat) struct Counts {
    /// Events that did not arrive.
    pub(in crate::chat) missing: u64,
    /// Events that arrived again.
    pub(in crate::chat) duplicate: u64,
    /// Events that arrived after later ones.
    pub(in crate::chat) late: u64,
    /// Events that the server has dropped, as it says.
    pub(in crate::chat) dropped: u64,
}

impl fmt::Display for Counts {
    /// Writes the counts that are not zero, such as `3 missing, 1 duplicate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.dropped, "dropped"),
            (self.missing, "missing"),
            (self.duplicate, "duplicate"),
            (self.late, "late"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

impl Counts {
    /// Returns `true` if every event arrived once, and in order.
    pub(in crate::chat) fn is_perfect(&self) -> bool {
        *self == Self::default()
    }
}

/// Check of one member.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// The highest number so far. `None`: the next number is not known.
    last: Option<u64>,
    missing: Vec<RangeInclusive<u64>>,
    counts: Counts,
}

impl Sequence {
    /// Starts with the event after `last`, in another room; `None` if its number is not known.
    pub(super) fn start(&mut self, last: Option<u64>) {
        self.last = last;
        self.missing.clear();
    }

    /// Continues with the event after `last`, in the same room.
    pub(super) fn expect_after(&mut self, last: u64) {
        self.last = Some(last.max(self.last.unwrap_or(0)));
    }

    /// Takes the number of an event.
    pub(super) fn check(&mut self, number: u64) -> Option<Fault> {
        let Some(last) = self.last else {
            self.last = Some(number);
            return None;
        };
        if number > last {
            self.last = Some(number);
            return (number - last > 1).then(|| self.miss(last + 1..=number - 1));
        }
        if let Some(at) = self.missing.iter().position(|range| range.contains(&number)) {
            let range = self.missing.swap_remove(at);
            let parts = [
                (*range.start() < number).then(|| *range.start()..=number - 1),
                (number < *range.end()).then(|| number + 1..=*range.end()),
            ];
            self.missing.extend(parts.into_iter().flatten());
            self.counts.missing = self.counts.missing.saturating_sub(1);
            self.counts.late += 1;
            return Some(Fault::Late(number));
        }
        self.counts.duplicate += 1;
        Some(Fault::Duplicate(number))
    }

    fn miss(&mut self, range: RangeInclusive<u64>) -> Fault {
        if self.missing.len() == MAX_MISSING {
            self.missing.remove(0);
        }
        self.missing.push(range.clone());
        let count = (range.end() - range.start()).saturating_add(1);
        self.counts.missing = self.counts.missing.saturating_add(count);
        Fault::Missing(range)
    }

    /// Takes a gap that the server announces: `count` events from `first` on were dropped.
    pub(super) fn drop_events(&mut self, first: Option<u64>, count: u64) -> Option<Fault> {
        self.counts.dropped = self.counts.dropped.saturating_add(count);
        let first = first.filter(|_| count > 0)?;
        let fault = self.last.filter(|&last| first > last.saturating_add(1));
        let fault = fault.map(|last| self.miss(last + 1..=first - 1));
        self.expect_after(first.saturating_add(count - 1));
        fault
    }

    /// Returns the faults so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u64]) -> (Vec<Fault>, String) {
        let mut sequence = Sequence::default();
        sequence.start(Some(41));
        let faults = numbers.iter().filter_map(|&number| sequence.check(number)).collect();
        (faults, sequence.counts().to_string())
    }

    #[test]
    fn tells_a_gap_a_duplicate_and_an_event_out_of_order() {
        assert_eq!(check(&[42, 43]), (vec![], String::new()));
        assert_eq!(check(&[43]), (vec![Fault::Missing(42..=42)], "1 missing".to_owned()));
        assert_eq!(
            check(&[42, 42, 46, 44, 47]),
            (
                vec![Fault::Duplicate(42), Fault::Missing(43..=45), Fault::Late(44)],
                "2 missing, 1 duplicate, 1 late".to_owned()
            )
        );
        assert_eq!(check(&[41]).0, [Fault::Duplicate(41)]);
        assert_eq!(Fault::Missing(43..=45).to_string(), "Events 43 to 45 are missing (3)");
    }

    #[test]
    fn a_gap_that_the_server_announces_is_no_fault() {
        let mut sequence = Sequence::default();
        sequence.start(Some(43));
        assert_eq!(sequence.drop_events(Some(44), 12), None);
        assert_eq!(sequence.check(56), None);
        assert_eq!(sequence.counts().to_string(), "12 dropped");
        assert_eq!(sequence.drop_events(Some(59), 2), Some(Fault::Missing(57..=58)));
        assert_eq!(sequence.check(61), None);
    }

    #[test]
    fn the_largest_numbers_are_no_overflow() {
        let mut sequence = Sequence::default();
        sequence.start(Some(0));
        assert!(sequence.check(u64::MAX).is_some());
        assert!(sequence.check(u64::MAX).is_some());
        assert_eq!(sequence.drop_events(Some(u64::MAX), u64::MAX), None);
        assert_eq!(sequence.drop_events(Some(0), 0), None);
        sequence.start(None);
        assert_eq!(sequence.check(7), None);
    }

    #[test]
    fn the_memory_of_missing_events_is_bounded() {
        let mut sequence = Sequence::default();
        sequence.start(Some(0));
        for number in (2..10_000).step_by(2) {
            sequence.check(number);
        }
        assert_eq!(sequence.missing.len(), MAX_MISSING);
    }
}
