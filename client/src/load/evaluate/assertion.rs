//! Conditions on a report's figures: `p99<5ms`, `errors=0`, `rate>50000`.
//!
//! Owns their form. What figures there are is [`Metric`]'s to know, what they come to the report's.

use std::{fmt, str::FromStr};

use crate::load::evaluate::metric::{Metric, Unit};

/// A condition, as it was typed and as it was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// As it was typed, for the report.
    text: String,
    /// The figure that it is about.
    pub metric: Metric,
    operator: Operator,
    /// What the figure is compared with, in the metric's unit: nanoseconds for times.
    value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    NotEqual,
}

/// As they are typed; what begins like another comes after it.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("!=", Operator::NotEqual),
    ("==", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::More),
    ("=", Operator::Equal),
];

/// Units of time as they are typed, and how many nanoseconds they have.
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
    /// Whether it holds for this figure. One that is not known holds for nothing.
    #[must_use]
    pub fn holds(&self, figure: Option<f64>) -> bool {
        let Some(figure) = figure else { return false };
        match self.operator {
            Operator::Less => figure < self.value,
            Operator::AtMost => figure <= self.value,
            Operator::More => figure > self.value,
            Operator::AtLeast => figure >= self.value,
            Operator::Equal => is_same(figure, self.value),
            Operator::NotEqual => !is_same(figure, self.value),
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

    /// `METRIC OPERATOR VALUE`, with or without spaces; what is lost, and the like, also as a percentage of
    /// what was sent.
    fn from_str(typed: &str) -> Result<Self, String> {
        let at = typed.find(['<', '>', '=', '!']).ok_or_else(|| {
            "expected METRIC OPERATOR VALUE, as p99<5ms; operators are < <= > >= = !=".to_owned()
        })?;
        let (metric, rest) = typed.split_at(at);
        let metric: Metric = metric.trim().parse()?;
        let (operator, value) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)))
            .ok_or_else(|| "expected one of the operators < <= > >= = !=".to_owned())?;
        let value = value.trim();
        let (metric, value) = match value.strip_suffix('%') {
            None => (metric, value),
            Some(percents) => {
                let name = metric.to_string();
                let share = metric.share().ok_or_else(|| {
                    format!("'{name}' is no part of what was sent, and so has no percentage")
                })?;
                (share, percents.trim_end())
            }
        };
        let value = match metric.unit() {
            Unit::Time => time(value).ok_or_else(|| {
                format!("'{metric}' is a time: expected a number with a unit (ns us ms s m), as 5ms or 1.5s")
            }),
            Unit::Number => number(value)
                .ok_or_else(|| format!("'{metric}' is a number: expected one, as 0, 50000 or 1e6")),
        }?;
        Ok(Self { text: typed.trim().to_owned(), metric, operator, value })
    }
}

fn time(typed: &str) -> Option<f64> {
    let digits = typed.trim_end_matches(char::is_alphabetic);
    let unit = &typed[digits.len()..];
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(number(digits.trim_end())? * nanos)
}

fn number(typed: &str) -> Option<f64> {
    // Rust also reads `inf` and `nan`, with which nothing can be compared to any use.
    typed.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[expect(clippy::float_cmp, reason = "counts are whole, and equality was asked for")]
fn is_same(one: f64, other: f64) -> bool {
    one == other
}

#[cfg(test)]
mod tests;
