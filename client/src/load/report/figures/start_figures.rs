//! Start of a load, the clock of its machine, and how far the starts of several loads are apart.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::stats::format::time;

/// Start of a load: of its warm-up, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StartFigures {
    /// Time of `--start-at`; null without.
    #[schemars(with = "Option<String>")]
    pub(crate) requested: Option<Timestamp>,
    /// Time at which the processes were started, by the clock of their machine.
    #[schemars(with = "String")]
    pub(crate) actual: Timestamp,
    /// From the requested time to the actual one; null without `--start-at`.
    pub(crate) late_ns: Option<u64>,
    /// The connections were not made at the requested time, so the load started when they were.
    pub(crate) is_overdue: bool,
    /// Clock of the machine; null if the system does not report its state.
    pub(crate) clock: Option<ClockFigures>,
}

/// Clock of a machine, as its kernel knows it (`adjtimex(2)`).
///
/// The errors are those that the time service of the machine has reported to the kernel, which adds 0.5 ms for each second since then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClockFigures {
    /// A time service has set the clock lately. Otherwise its errors say nothing.
    pub(crate) is_synchronized: bool,
    /// What the kernel has yet to correct.
    pub(crate) offset_ns: i64,
    /// Estimated error.
    pub(crate) estimated_error_ns: u64,
    /// Maximum error.
    pub(crate) max_error_ns: u64,
    /// Boot ID of the kernel: loads with the same one have the same clock. Null if it is unknown.
    pub(crate) boot_id: Option<String>,
}

/// How far the starts of merged loads are apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StartSpread {
    /// First start.
    #[schemars(with = "String")]
    pub(crate) first: Timestamp,
    /// Last start.
    #[schemars(with = "String")]
    pub(crate) last: Timestamp,
    /// From the first to the last, each by the clock of its own machine.
    pub(crate) apart_ns: u64,
    /// Greatest delay behind a requested time; null if a load had none.
    pub(crate) max_late_ns: Option<u64>,
    /// Bound of the difference between two of the clocks, by the maximum errors that their kernels know; null if one of them is unknown
    /// or not synchronized.
    pub(crate) clock_difference_ns: Option<u64>,
    /// Loads whose clock is unknown or not synchronized, if their clocks differ.
    pub(crate) without_bound: Vec<String>,
}

impl StartFigures {
    /// Describes the start, for a reader who asked for one.
    pub(crate) fn describe(&self) -> String {
        let late = self.late_ns.map(|late| format!(", {} after the requested time", time(late)));
        let reason = if self.is_overdue { ", when the last connection was made" } else { "" };
        format!("{:.6}{}{reason}", self.actual, late.unwrap_or_default())
    }

    /// Describes the clock.
    pub(crate) fn describe_clock(&self) -> String {
        match &self.clock {
            None => "unknown, because the system does not report it".to_owned(),
            Some(clock) => clock.max_wrong_ns().map_or_else(
                || "not synchronized, so its error is unknown".to_owned(),
                |wrong| format!("synchronized, at most {} wrong", time(wrong)),
            ),
        }
    }
}

impl ClockFigures {
    /// Returns by how much the clock may be wrong; `None` if it is not synchronized.
    fn max_wrong_ns(&self) -> Option<u64> {
        let wrong = self.max_error_ns.saturating_add(self.offset_ns.unsigned_abs());
        self.is_synchronized.then_some(wrong)
    }
}

impl StartSpread {
    /// Compares starts, each with the name of its load; returns `None` if one is unknown, or if there is none.
    pub(crate) fn of(starts: &[(&str, Option<&StartFigures>)]) -> Option<Self> {
        let times: Vec<_> =
            starts.iter().map(|(_, start)| Some(start.as_ref()?.actual)).collect::<Option<_>>()?;
        let (first, last) = (*times.iter().min()?, *times.iter().max()?);
        let late = starts.iter().map(|(_, start)| start.as_ref()?.late_ns);
        let clocks = Clocks::of(starts);
        Some(Self {
            first,
            last,
            apart_ns: first.duration_until(last).as_nanos().try_into().unwrap_or(u64::MAX),
            max_late_ns: late.collect::<Option<Vec<_>>>().and_then(|late| late.into_iter().max()),
            clock_difference_ns: clocks.difference_ns,
            without_bound: clocks.without_bound,
        })
    }

    /// Describes the starts.
    pub(crate) fn describe(&self) -> String {
        let clocks =
            if self.clock_difference_ns == Some(0) { "" } else { ", each by its own clock" };
        let late = self
            .max_late_ns
            .map(|late| format!(", the latest {} after its requested time", time(late)));
        format!("{} apart{clocks}{}", time(self.apart_ns), late.unwrap_or_default())
    }

    /// Describes the difference of the clocks.
    pub(crate) fn describe_clocks(&self) -> String {
        match self.clock_difference_ns {
            Some(0) => "one clock".to_owned(),
            Some(difference) => format!("differ by at most {}", time(difference)),
            None => {
                format!("differ by an unknown time: no bound for {}", self.without_bound.join(", "))
            }
        }
    }
}

/// Difference of several clocks.
struct Clocks {
    difference_ns: Option<u64>,
    without_bound: Vec<String>,
}

impl Clocks {
    fn of(starts: &[(&str, Option<&StartFigures>)]) -> Self {
        let clocks =
            || starts.iter().map(|(name, start)| (name, start.and_then(|it| it.clock.as_ref())));
        let ids: Vec<_> = clocks().map(|(_, clock)| clock?.boot_id.as_deref()).collect();
        if ids.iter().all(|id| id.is_some() && *id == ids[0]) {
            return Self { difference_ns: Some(0), without_bound: Vec::new() };
        }
        let wrong = |clock: Option<&ClockFigures>| clock.and_then(ClockFigures::max_wrong_ns);
        let without = clocks().filter(|(_, clock)| wrong(*clock).is_none());
        let without_bound: Vec<_> = without.map(|(name, _)| (*name).to_owned()).collect();
        // Two loads of one machine count once: of each kernel, the greatest error.
        let mut errors = BTreeMap::new();
        for (index, (_, clock)) in clocks().enumerate() {
            let of_machine = errors
                .entry(ids[index].map_or_else(|| index.to_string(), str::to_owned))
                .or_insert(0);
            *of_machine = wrong(clock).unwrap_or(0).max(*of_machine);
        }
        let mut errors: Vec<u64> = errors.into_values().collect();
        errors.sort_unstable_by_key(|error| Reverse(*error));
        let difference =
            errors.iter().take(2).fold(0, |sum: u64, error| sum.saturating_add(*error));
        Self { difference_ns: without_bound.is_empty().then_some(difference), without_bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start at this second of a minute, by a clock that may be wrong by a millisecond.
    fn start(second: &str, boot_id: &str) -> StartFigures {
        StartFigures {
            requested: "2026-11-26T20:00:00Z".parse().ok(),
            actual: format!("2026-11-26T20:00:{second}Z").parse().unwrap(),
            late_ns: Some(2_000_000),
            is_overdue: false,
            clock: Some(ClockFigures {
                is_synchronized: true,
                offset_ns: -100_000,
                estimated_error_ns: 20_000,
                max_error_ns: 900_000,
                boot_id: Some(boot_id.to_owned()),
            }),
        }
    }

    fn unsynchronized(start: &StartFigures) -> StartFigures {
        let clock =
            start.clock.clone().map(|clock| ClockFigures { is_synchronized: false, ..clock });
        StartFigures { clock, ..start.clone() }
    }

    fn spread(starts: &[&StartFigures]) -> StartSpread {
        let named: Vec<_> =
            ["a", "b", "c"].into_iter().zip(starts.iter().map(|it| Some(*it))).collect();
        StartSpread::of(&named).unwrap()
    }

    #[test]
    fn starts_are_apart_by_their_clocks_which_differ_by_the_sum_of_their_errors() {
        let (one, other) = (start("00.002", "x"), start("00.005", "y"));
        let spread = spread(&[&other, &one]);
        assert_eq!((spread.first, spread.last), (one.actual, other.actual));
        assert_eq!((spread.apart_ns, spread.max_late_ns), (3_000_000, Some(2_000_000)));
        assert_eq!(spread.clock_difference_ns, Some(2_000_000));
        assert_eq!(
            spread.describe(),
            "3.00 ms apart, each by its own clock, the latest 2.00 ms after its requested time"
        );
        assert_eq!(spread.describe_clocks(), "differ by at most 2.00 ms");
    }

    #[test]
    fn loads_of_one_machine_have_one_clock() {
        let one = unsynchronized(&start("00.002", "x"));
        let spread_of_one = spread(&[&one, &one]);
        assert_eq!(spread_of_one.clock_difference_ns, Some(0));
        assert_eq!(spread_of_one.describe_clocks(), "one clock");
        // Two loads of one machine, and one of another.
        let (one, other) = (start("00.002", "x"), start("00.002", "y"));
        assert_eq!(spread(&[&one, &one, &other]).clock_difference_ns, Some(2_000_000));
    }

    #[test]
    fn the_difference_from_a_clock_that_is_not_synchronized_is_unknown() {
        let (one, other) = (start("00.002", "x"), unsynchronized(&start("00.002", "y")));
        let spread = spread(&[&one, &other]);
        assert_eq!(
            (spread.clock_difference_ns, &spread.without_bound[..]),
            (None, &["b".to_owned()][..])
        );
        assert_eq!(spread.describe_clocks(), "differ by an unknown time: no bound for b");
        // So is that from a machine that does not name its kernel.
        let unknown = StartFigures { clock: None, ..one.clone() };
        assert_eq!(self::spread(&[&unknown, &unknown]).clock_difference_ns, None);
    }

    #[test]
    fn starts_are_compared_only_if_all_are_known() {
        let one = start("00.002", "x");
        assert_eq!(StartSpread::of(&[("a", Some(&one)), ("b", None)]), None);
        assert_eq!(StartSpread::of(&[]), None);
    }

    #[test]
    fn a_start_describes_its_delay_and_the_error_of_its_clock() {
        let one = start("00.002", "x");
        assert_eq!(one.describe(), "2026-11-26T20:00:00.002000Z, 2.00 ms after the requested time");
        assert_eq!(one.describe_clock(), "synchronized, at most 1.00 ms wrong");
        let overdue = StartFigures { is_overdue: true, ..unsynchronized(&one) };
        assert!(overdue.describe().ends_with("time, when the last connection was made"));
        assert_eq!(overdue.describe_clock(), "not synchronized, so its error is unknown");
    }
}
