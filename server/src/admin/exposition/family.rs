//! The declaration of a metric, and the samples that it collects at a scrape.

use prometheus_client::{metrics::MetricType, registry};

use crate::{
    admin::context::Context,
    metrics::{Counter, HistogramTotals},
};

/// The unit of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Bytes,
    Seconds,
}

/// The declaration of one metric.
pub(super) struct Family {
    /// The name without unit and suffix.
    pub(super) name: &'static str,
    /// Its last word, if it has one.
    pub(super) unit: Option<Unit>,
    pub(super) kind: MetricType,
    /// One sentence.
    pub(super) help: &'static str,
    pub(super) collect: fn(&Context<'_>, &mut Samples),
}

impl Family {
    pub(super) const fn counter(
        name: &'static str,
        help: &'static str,
        collect: fn(&Context<'_>, &mut Samples),
    ) -> Self {
        Self { name, unit: None, kind: MetricType::Counter, help, collect }
    }

    pub(super) const fn gauge(
        name: &'static str,
        help: &'static str,
        collect: fn(&Context<'_>, &mut Samples),
    ) -> Self {
        Self { name, unit: None, kind: MetricType::Gauge, help, collect }
    }

    /// Declares a histogram of durations.
    pub(super) const fn histogram(
        name: &'static str,
        help: &'static str,
        collect: fn(&Context<'_>, &mut Samples),
    ) -> Self {
        Self { name, unit: Some(Unit::Seconds), kind: MetricType::Histogram, help, collect }
    }

    /// Returns the same declaration with a unit.
    pub(super) const fn in_unit(self, unit: Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }
}

impl From<Unit> for registry::Unit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Bytes => Self::Bytes,
            Unit::Seconds => Self::Seconds,
        }
    }
}

/// The samples of one metric.
#[derive(Debug, Default)]
pub(super) struct Samples(pub(super) Vec<Sample>);

/// A value and the labels that tell it from the other samples of its metric.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Integer(u64),
    Number(f64),
    Histogram(Box<HistogramTotals>),
}

/// Labels of a sample.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Samples {
    /// Adds a sample.
    pub(super) fn add(&mut self, labels: Labels<'_>, value: impl Into<Value>) {
        let labels = labels.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        self.0.push(Sample { labels, value: value.into() });
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(value as u64)
    }
}

impl From<bool> for Value {
    /// 1 or 0, as metrics have it.
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&Counter> for Value {
    fn from(counter: &Counter) -> Self {
        Self::Integer(counter.get())
    }
}

impl From<HistogramTotals> for Value {
    fn from(totals: HistogramTotals) -> Self {
        Self::Histogram(Box::new(totals))
    }
}
