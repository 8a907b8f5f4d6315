//! Assertions on the change of a metric between two reports: `p99<+10%`, `rate>-5%`, `p99<+200us`.

use std::{fmt, str::FromStr};

use super::{
    assertion::{Operator, parse_number, parse_time},
    metric::{Metric, Unit},
};

/// Condition on the change of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChangeAssertion {
    /// Text as it was typed, for the report.
    text: String,
    metric: Metric,
    operator: Operator,
    limit: Limit,
}

/// Limit of a change.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// Share of the value of the base.
    Share(f64),
    /// Difference from the value of the base, in the metric's unit.
    Difference(f64),
}

const FORM: &str = "expected METRIC OPERATOR CHANGE with one of the operators < <= > >= and a change with its sign, such as \
                    p99<+10%, rate>-5% or p99<+200us";

impl ChangeAssertion {
    /// Returns the metric.
    pub(crate) fn metric(&self) -> &Metric {
        &self.metric
    }

    /// Returns the value that the other report may have, for a value of the base.
    pub(crate) fn limit(&self, base: f64) -> f64 {
        match self.limit {
            Limit::Share(share) => base * (1.0 + share),
            Limit::Difference(difference) => base + difference,
        }
    }

    /// Returns `true` if it holds. It does not hold for an unknown value. Equal values have not changed: they hold if the limit
    /// allows no change, also if both are 0.
    pub(crate) fn holds(&self, base: Option<f64>, other: Option<f64>) -> bool {
        let Some((base, other)) = base.zip(other) else { return false };
        let (Limit::Share(change) | Limit::Difference(change)) = self.limit;
        let is_equal = base.total_cmp(&other).is_eq();
        if is_equal {
            self.operator.holds(0.0, change)
        } else {
            self.operator.holds(other, self.limit(base))
        }
    }
}

impl fmt::Display for ChangeAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ChangeAssertion {
    type Err = String;

    /// Parses `METRIC OPERATOR CHANGE`, with or without spaces.
    fn from_str(typed: &str) -> Result<Self, String> {
        let at = typed.find(['<', '>', '=', '!']).ok_or_else(|| FORM.to_owned())?;
        let (metric, rest) = typed.split_at(at);
        let metric: Metric = metric.trim().parse()?;
        let (operator, change) = Operator::parse(rest).ok_or_else(|| FORM.to_owned())?;
        if matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err(FORM.to_owned());
        }
        let change = change.trim();
        let (sign, value) = match (change.strip_prefix('+'), change.strip_prefix('-')) {
            (Some(value), _) => (1.0, value.trim_start()),
            (_, Some(value)) => (-1.0, value.trim_start()),
            _ => return Err(FORM.to_owned()),
        };
        let limit = match (value.strip_suffix('%'), metric.unit()) {
            (Some(percents), _) => {
                parse_number(percents.trim_end()).map(|it| Limit::Share(sign * it / 100.0))
            }
            (None, Unit::Time) => parse_time(value).map(|time| Limit::Difference(sign * time)),
            (None, Unit::Number) => parse_number(value).map(|it| Limit::Difference(sign * it)),
        };
        let limit = limit.ok_or_else(|| FORM.to_owned())?;
        Ok(Self { text: typed.trim().to_owned(), metric, operator, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(typed: &str, base: f64, other: f64) -> bool {
        typed.parse::<ChangeAssertion>().unwrap().holds(Some(base), Some(other))
    }

    #[test]
    fn a_change_is_a_share_of_the_base_or_a_difference_from_it() {
        assert!(holds("p99<+10%", 100.0, 109.0));
        assert!(!holds("p99 < +10 %", 100.0, 111.0));
        assert!(holds("rate>-5%", 1000.0, 951.0));
        assert!(!holds("rate>-5%", 1000.0, 949.0));
        assert!(holds("p50<+200us", 1e6, 1.1e6));
        assert!(!holds("p50<+200us", 1e6, 1.3e6));
        assert!(holds("errors<=+0", 0.0, 0.0));
        assert!(!holds("errors<=+0%", 0.0, 1.0));
    }

    #[test]
    fn equal_values_have_not_changed_even_if_both_are_0() {
        for value in [0.0, 100.0] {
            assert!(holds("errors<+10%", value, value) && holds("rate>-5%", value, value));
            assert!(holds("errors<=+0", value, value) && !holds("errors<+0", value, value));
            assert!(!holds("errors<-10%", value, value) && !holds("rate>+5%", value, value));
        }
    }

    #[test]
    fn an_unknown_value_satisfies_no_condition() {
        let condition: ChangeAssertion = "errors<=+0".parse().unwrap();
        assert!(!condition.holds(None, Some(0.0)) && !condition.holds(Some(0.0), None));
    }

    #[test]
    fn refuses_a_change_without_a_sign_or_a_unit() {
        for typed in ["p99<10%", "p99<+10", "p99=+10%", "p99", "nonsense<+1%", "p99<+-1%", "p99<+%"]
        {
            assert!(typed.parse::<ChangeAssertion>().is_err(), "{typed}");
        }
    }
}
