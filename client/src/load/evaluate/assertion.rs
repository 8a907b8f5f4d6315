//! Assertions on metrics: `p99<5ms`, `errors=0`, `rate>50000`.
//!
//! Owns their form, and their result for a report. [`Metric`] owns the names.

use std::{fmt, str::FromStr};

use super::metric::{Metric, Unit};
use crate::load::report::document::{AssertionResult, Report};

/// Condition on a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assertion {
    /// Text as it was typed, for the report.
    text: String,
    metric: Metric,
    operator: Operator,
    /// Threshold in the metric's unit, nanoseconds for times.
    threshold: f64,
}

/// Comparison of a value with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    NotEqual,
}

/// Operators as they are typed. One that starts with another comes before it.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("!=", Operator::NotEqual),
    ("==", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::More),
    ("=", Operator::Equal),
];

/// Units of time as they are typed, in nanoseconds.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
];

impl Assertion {
    /// Evaluates it on a report.
    pub(crate) fn evaluate(&self, report: &Report) -> AssertionResult {
        let value = self.metric.value(report);
        let text = value.map_or_else(|| "unknown".to_owned(), |value| self.metric.format(value));
        AssertionResult {
            assertion: self.to_string(),
            holds: self.holds_for(value),
            figure: format!("{} is {text}", self.metric),
        }
    }

    /// Returns `true` if it holds for a value of the metric. It does not hold for an unknown value.
    fn holds_for(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| self.operator.holds(value, self.threshold))
    }
}

impl Operator {
    /// Parses an operator at the start of what is typed; returns what follows it.
    pub(super) fn parse(typed: &str) -> Option<(Self, &str)> {
        let parse = |(sign, operator): &(_, _)| Some((*operator, typed.strip_prefix(*sign)?));
        OPERATORS.iter().find_map(parse)
    }

    /// Returns `true` if the value is on the right side of the threshold.
    pub(super) fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Less => value < threshold,
            Self::AtMost => value <= threshold,
            Self::More => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Equal => is_same(value, threshold),
            Self::NotEqual => !is_same(value, threshold),
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Assertion {
    type Err = String;

    /// Parses `METRIC OPERATOR VALUE`, with or without spaces. The value may be a percentage of what was
    /// sent, as in `lost<1%`.
    fn from_str(typed: &str) -> Result<Self, String> {
        let operator_start = typed.find(['<', '>', '=', '!']).ok_or_else(|| {
            "expected METRIC OPERATOR VALUE, such as p99<5ms, with one of the operators < <= > >= = !=".to_owned()
        })?;
        let (metric, rest) = typed.split_at(operator_start);
        let metric: Metric = metric.trim().parse()?;
        let (operator, value) = Operator::parse(rest)
            .ok_or_else(|| "expected one of the operators < <= > >= = !=".to_owned())?;
        let value = value.trim();
        let (metric, value) = match value.strip_suffix('%') {
            None => (metric, value),
            Some(percents) => {
                let name = metric.to_string();
                let share = metric.share().ok_or_else(|| {
                    format!("'{name}' is not a part of what was sent, and has no percentage")
                })?;
                (share, percents.trim_end())
            }
        };
        let threshold = match metric.unit() {
            Unit::Time => parse_time(value).ok_or_else(|| {
                format!("'{metric}' is a time: expected a number and a unit (ns us ms s m), such as 5ms or 1.5s")
            }),
            Unit::Number => parse_number(value)
                .ok_or_else(|| format!("'{metric}' is a number: expected 0, 50000 or 1e6, for example")),
        }?;
        Ok(Self { text: typed.trim().to_owned(), metric, operator, threshold })
    }
}

/// Parses a time with its unit; returns nanoseconds.
pub(super) fn parse_time(typed: &str) -> Option<f64> {
    let digits = typed.trim_end_matches(char::is_alphabetic);
    let unit = &typed[digits.len()..];
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(parse_number(digits.trim_end())? * nanos)
}

/// Parses a number that is not negative.
pub(super) fn parse_number(typed: &str) -> Option<f64> {
    // `parse` also accepts `inf` and `nan`, which are useless as a threshold.
    typed.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[expect(clippy::float_cmp, reason = "counts are whole, and the user asked for equality")]
fn is_same(one: f64, other: f64) -> bool {
    one == other
}

#[cfg(test)]
mod tests;
