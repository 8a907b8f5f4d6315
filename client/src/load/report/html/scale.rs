//! Scales of the axes, and the ticks on them. A place on an axis is from 0 to 1.

use crate::load::stats::format::{self, round_up};

/// Line across a chart, with its label; without one it is a minor line of the grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Place on the axis.
    pub(crate) at: f64,
    /// Value, with its unit.
    pub(crate) label: Option<String>,
    /// There is no space for the label on a phone.
    pub(crate) is_wide: bool,
}

impl Tick {
    fn new(at: f64, label: String) -> Self {
        Self { at, label: Some(label), is_wide: false }
    }
}

/// Linear scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    from: f64,
    to: f64,
    step: f64,
}

impl Linear {
    /// Maximum number of intervals between ticks. The step gives a few; figures near the greatest number would give any.
    const MAX_TICKS: u32 = 20;

    /// Returns the smallest scale from 0 to a maximum whose labels are round numbers, with about this number of intervals between
    /// them.
    pub(crate) fn up_to(max: f64, intervals: u32) -> Self {
        Self::between(0.0, max, intervals)
    }

    /// Does the same for a scale that contains 0 and these two values.
    pub(crate) fn between(min: f64, max: f64, intervals: u32) -> Self {
        let (min, max) = (min.min(0.0), max.max(0.0));
        let span = if max > min { max - min } else { 1.0 };
        Self::with_step(min, max, round_up(span / f64::from(intervals)))
    }

    /// Returns the scale for counts: its labels are whole.
    pub(crate) fn of_counts(max: u64, intervals: u32) -> Self {
        let step = round_up(float(max.max(1)) / f64::from(intervals));
        Self::with_step(0.0, float(max), step.max(1.0))
    }

    fn with_step(min: f64, max: f64, step: f64) -> Self {
        let (from, to) = ((min / step).floor() * step, (max / step).ceil() * step);
        Self { from, to: if to > from { to } else { from + step }, step }
    }

    /// Returns the place of a value.
    pub(crate) fn place(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// Returns its ticks.
    pub(crate) fn ticks(&self, label: impl Fn(f64) -> String) -> Vec<Tick> {
        let values = (0..=Self::MAX_TICKS).map(|index| self.from + f64::from(index) * self.step);
        let values = values.take_while(|value| *value <= self.to + 0.01 * self.step);
        values.map(|value| Tick::new(self.place(value), label(value))).collect()
    }
}

/// Logarithmic scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Log {
    from: u64,
    to: u64,
}

impl Log {
    /// Number of decades up to which 2 and 5 times a power of ten have labels.
    const MAX_FINE: f64 = 3.2;

    /// Number of decades up to which each has a label.
    const MAX_DECADES: f64 = 8.0;

    /// Returns the smallest scale for all values whose ends are 1, 2 or 5 times a power of ten; `None` if there are none.
    pub(crate) fn around(values: impl IntoIterator<Item = u64>) -> Option<Self> {
        let (mut min, mut max) = (u64::MAX, 0);
        for value in values {
            let value = value.max(1);
            (min, max) = (min.min(value), max.max(value));
        }
        let from = steps().take_while(|step| *step <= min).last().filter(|_| max > 0)?;
        let to = steps().find(|step| *step >= max && *step > from)?;
        Some(Self { from, to })
    }

    /// Returns the place of a value.
    pub(crate) fn place(&self, value: u64) -> f64 {
        (log10(value.max(1)) - log10(self.from)) / self.decades()
    }

    /// Returns the value at a place.
    pub(crate) fn value(&self, place: f64) -> f64 {
        10_f64.powf(log10(self.from) + place * self.decades())
    }

    fn decades(&self) -> f64 {
        log10(self.to) - log10(self.from)
    }

    /// Returns its ticks: a line for each digit, and labels as there is space.
    pub(crate) fn ticks(&self, label: impl Fn(u64) -> String) -> Vec<Tick> {
        let lines = (0..19).flat_map(|power| (1..10).map(move |digit| (digit, 10_u64.pow(power))));
        let lines = lines.filter(|(digit, power)| (self.from..=self.to).contains(&(digit * power)));
        let has_label = |digit, power: u64| match self.decades() {
            few if few <= Self::MAX_FINE => matches!(digit, 1 | 2 | 5),
            some if some <= Self::MAX_DECADES => digit == 1,
            _ => digit == 1 && power.ilog10().is_multiple_of(2),
        };
        let tick = |(digit, power)| {
            let label = has_label(digit, power).then(|| label(digit * power));
            Tick { at: self.place(digit * power), is_wide: digit != 1 && label.is_some(), label }
        };
        lines.map(tick).collect()
    }
}

/// Returns 1, 2 and 5 times the powers of ten.
fn steps() -> impl Iterator<Item = u64> {
    (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)))
}

/// Scale of shares on which each further nine has the same width, as in HDR plots: the logarithm of 1/(1-share).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nines {
    /// Number of nines at its end.
    to: f64,
}

impl Nines {
    /// Returns the scale for this number of values. A share above the last value but one is at the end.
    pub(crate) fn of(count: u64) -> Self {
        Self { to: log10(count.max(1)).max(1.0) }
    }

    /// Returns the place of a share.
    pub(crate) fn place(self, share: f64) -> f64 {
        let nines = if share < 1.0 { -(1.0 - share).log10() } else { f64::INFINITY };
        (nines / self.to).clamp(0.0, 1.0)
    }

    /// Returns the number of nines at its end.
    pub(crate) fn end(self) -> f64 {
        self.to
    }

    /// Returns its ticks, with percents as labels.
    pub(crate) fn ticks(self) -> Vec<Tick> {
        let nines = (1..9).map(|nines| {
            let percents = 100.0 - 100.0 / 10_f64.powi(nines);
            let decimals = usize::try_from(nines - 2).unwrap_or(0);
            (f64::from(nines), format!("{percents:.decimals$}"))
        });
        let all =
            [(0.0, "0".to_owned()), (2_f64.log10(), "50".to_owned())].into_iter().chain(nines);
        let shown: Vec<_> = all.take_while(|(nines, _)| *nines <= self.to).collect();
        let is_crowded = self.to > 4.0;
        let tick = |(index, (nines, label)): (usize, (f64, String))| Tick {
            is_wide: index == 1 || is_crowded && index > 3 && index % 2 == 1,
            ..Tick::new(nines / self.to, label)
        };
        shown.into_iter().enumerate().map(tick).collect()
    }
}

/// Linear scale of the time since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed {
    seconds: u64,
}

impl Elapsed {
    /// Maximum number of intervals between labels: more have no space on a phone.
    const INTERVALS: u64 = 6;

    /// Steps between labels in seconds.
    const STEPS: [u64; 16] =
        [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200];

    /// Returns the scale up to the end of a load.
    pub(crate) fn up_to(seconds: u64) -> Self {
        Self { seconds: seconds.max(1) }
    }

    /// Returns its ticks.
    pub(crate) fn ticks(self) -> Vec<Tick> {
        let step = Self::STEPS.into_iter().find(|step| self.seconds / step <= Self::INTERVALS);
        let step = step.unwrap_or(self.seconds);
        let times = (0..=self.seconds / step).map(|index| index * step);
        times.map(|time| Tick::new(float(time) / float(self.seconds), elapsed(time))).collect()
    }
}

/// Formats the time since the start.
pub(crate) fn elapsed(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3600 => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// Formats a round time.
pub(crate) fn round_time(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} \u{b5}s", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", format::count(nanos / 1_000_000_000)),
    }
}

fn log10(number: u64) -> f64 {
    float(number).log10()
}

#[expect(clippy::cast_precision_loss, reason = "a place needs three digits")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().filter_map(|tick| tick.label.as_deref()).collect()
    }

    #[test]
    fn a_scale_has_few_ticks_even_up_to_the_greatest_number() {
        for max in [0.35, 1e9, f64::MAX, f64::INFINITY] {
            assert!(Linear::up_to(max, 4).ticks(|_| String::new()).len() <= 21, "{max}");
        }
    }

    #[test]
    fn a_linear_scale_ends_at_a_round_number_above_the_maximum() {
        let scale = Linear::up_to(5_100.0, 4);
        assert_eq!(labels(&scale.ticks(|it| format!("{it}"))), ["0", "2000", "4000", "6000"]);
        let change = Linear::between(-4.0, 11.0, 4);
        assert_eq!(labels(&change.ticks(|it| format!("{it}"))), ["-5", "0", "5", "10", "15"]);
        assert_eq!(labels(&Linear::of_counts(2, 4).ticks(|it| format!("{it}"))), ["0", "1", "2"]);
        assert_eq!(labels(&Linear::of_counts(0, 4).ticks(|it| format!("{it}"))), ["0", "1"]);
    }

    #[test]
    fn a_logarithmic_scale_has_round_ends_and_equal_decades() {
        let scale = Log::around([130_000, 4_000_000]).unwrap();
        let ticks = scale.ticks(round_time);
        let expected = ["100 \u{b5}s", "200 \u{b5}s", "500 \u{b5}s", "1 ms", "2 ms", "5 ms"];
        assert_eq!(labels(&ticks), expected);
        assert!((scale.place(1_000_000) - 10_f64.ln() / 50_f64.ln()).abs() < 1e-9);
        assert_eq!(Log::around([]), None);
        assert_eq!(Log::around([0]), Some(Log { from: 1, to: 2 }));
    }

    #[test]
    fn each_nine_has_the_same_width() {
        let scale = Nines::of(10_000);
        assert_eq!(labels(&scale.ticks()), ["0", "50", "90", "99", "99.9", "99.99"]);
        assert!((scale.place(0.99) - 0.5).abs() < 1e-9);
        assert!((scale.place(1.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_time_since_the_start_has_few_labels() {
        assert_eq!(
            labels(&Elapsed::up_to(10).ticks()),
            ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]
        );
        let hour = Elapsed::up_to(3600).ticks();
        assert_eq!(labels(&hour)[..3], ["0 s", "10:00", "20:00"]);
        assert_eq!(labels(&hour).last(), Some(&"1:00:00"));
    }
}
