//! Conditions on a report's figures: `p99<5ms`, `errors=0`, `rate>50000`.
//!
//! Owns their form. What figures there are is [`Metric`]'s to know, what they come to the report's.

use std::{fmt, str::FromStr};

use super::metric::{Metric, Unit};

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
mod tests {
    use super::*;
    use crate::load::{
        report::{Judged, Report},
        testing::{self, datagrams},
    };

    fn assertion(typed: &str) -> Assertion {
        typed.parse().unwrap_or_else(|mistake| panic!("{typed}: {mistake}"))
    }

    #[test]
    fn every_operator_compares() {
        for (typed, below, same, above) in [
            ("rate<10", true, false, false),
            ("rate <= 10", true, true, false),
            ("rate>10", false, false, true),
            ("rate>=10", false, true, true),
            ("rate=10", false, true, false),
            ("rate == 10", false, true, false),
            ("rate!=10", true, false, true),
        ] {
            let assertion = assertion(typed);
            let holds = [9.0, 10.0, 11.0].map(|figure| assertion.holds(Some(figure)));
            assert_eq!(holds, [below, same, above], "{typed}");
        }
    }

    #[test]
    fn times_have_units_and_decimals() {
        for (typed, nanos) in [
            ("p99<5ms", 5e6),
            ("p99.9<=20 ms", 20e6),
            ("max<1s", 1e9),
            ("mean<1.5us", 1500.0),
            ("mean<1.5\u{b5}s", 1500.0),
            ("connect.p50<2m", 120e9),
            ("lag.max<7ns", 7.0),
        ] {
            assert!((assertion(typed).value - nanos).abs() < 1e-3, "{typed}");
        }
    }

    #[test]
    fn a_part_can_be_compared_with_what_was_sent() {
        let report = datagrams(990, 300);
        for (typed, holds) in
            [("lost<1.1%", true), ("lost < 1 %", false), ("lost>=1%", true), ("reordered=0%", true)]
        {
            let assertion = assertion(typed);
            assert_eq!(assertion.holds(assertion.metric.of(&report)), holds, "{typed}");
        }
        assert_eq!(Judged::new(&assertion("lost<1%"), &report).figure, "lost is 1.00 %");
        // Of connections it is known as well.
        let one_of_three = Report { lost: Some(1), ..testing::report(2, 1) };
        let share = assertion("lost<1%").metric.of(&one_of_three).unwrap();
        assert!((share - 33.3).abs() < 0.1, "{share}");
    }

    #[test]
    fn what_is_not_known_holds_for_nothing() {
        assert!(!assertion("lost=0").holds(None));
        assert!(!assertion("lost!=0").holds(None));
    }

    #[test]
    fn mistakes_say_what_is_possible() {
        for (typed, hint) in [
            ("p99", "METRIC OPERATOR VALUE"),
            ("p99<5", "unit (ns us ms s m)"),
            ("p99<5h", "unit (ns us ms s m)"),
            ("p99<ms", "unit (ns us ms s m)"),
            ("errors<5ms", "is a number"),
            ("rate>inf", "is a number"),
            ("rate>-1", "is a number"),
            ("rate!10", "< <= > >= = !="),
            ("latency<5ms", "p99.9"),
            ("p101<5ms", "p99.9"),
            ("rate<5%", "no percentage"),
            ("lost<x%", "is a number"),
            ("", "METRIC OPERATOR VALUE"),
            ("<5ms", "p99.9"),
        ] {
            let mistake = typed.parse::<Assertion>().unwrap_err();
            assert!(mistake.contains(hint), "{typed}: {mistake}");
            assert!(!mistake.contains('\n'));
        }
    }
}
