//! The text of all metrics.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text as openmetrics_text,
    },
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::{
    family::{Family, Sample, Samples, Value},
    listeners, process, server, workers,
};
use crate::{
    admin::context::Context,
    metrics::{BOUNDS_NS, HistogramTotals, seconds},
};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Format {
    /// Version 0.0.4 of the text format of Prometheus.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the media type.
    pub(in crate::admin) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Returns every declared metric.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [server::FAMILIES, listeners::FAMILIES, workers::FAMILIES, process::FAMILIES]
        .into_iter()
        .flatten()
}

/// Returns the text of all metrics.
pub(in crate::admin) fn expose(context: &Context<'_>, format: Format) -> Vec<u8> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape::collect(context)));
    let mut text = String::new();
    let encoded = match format {
        Format::Prometheus => prometheus_text::encode(&mut text, &registry),
        Format::OpenMetrics => openmetrics_text::encode(&mut text, &registry),
    };
    // It fails only if the text does, which is memory.
    debug_assert!(encoded.is_ok());
    text.into_bytes()
}

/// The samples of all metrics at one time.
#[derive(Debug)]
struct Scrape(Vec<Collected>);

#[derive(Debug)]
struct Collected {
    name: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    help: &'static str,
    samples: Vec<Sample>,
}

impl Scrape {
    fn collect(context: &Context<'_>) -> Self {
        let collect = |family: &Family| {
            let mut samples = Samples::default();
            (family.collect)(context, &mut samples);
            let Family { name, unit, kind, help, .. } = *family;
            Collected { name, unit: unit.map(Into::into), kind, help, samples: samples.0 }
        };
        let collected = families().map(collect);
        Self(collected.filter(|collected| !collected.samples.is_empty()).collect())
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Collected { name, unit, kind, help, samples } in &self.0 {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
            for Sample { labels, value } in samples {
                if *kind == MetricType::Info {
                    family.encode_info(labels)?;
                } else if labels.is_empty() {
                    encode(&mut family, *kind, value)?;
                } else {
                    encode(&mut family.encode_family(labels)?, *kind, value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode(encoder: &mut MetricEncoder<'_>, kind: MetricType, value: &Value) -> fmt::Result {
    match (kind, value) {
        (MetricType::Counter, Value::Integer(value)) => {
            encoder.encode_counter::<NoLabelSet, _, u64>(value, None)
        }
        (MetricType::Counter, Value::Number(value)) => {
            encoder.encode_counter::<NoLabelSet, _, u64>(value, None)
        }
        (_, Value::Integer(value)) => encoder.encode_gauge(value),
        (_, Value::Number(value)) => encoder.encode_gauge(value),
        (_, Value::Histogram(totals)) => encode_histogram(encoder, totals),
    }
}

fn encode_histogram(encoder: &mut MetricEncoder<'_>, totals: &HistogramTotals) -> fmt::Result {
    let bounds = BOUNDS_NS.iter().map(|&bound| seconds(bound)).chain([f64::INFINITY]);
    let buckets: Vec<_> = bounds.zip(totals.buckets).collect();
    let sum = seconds(totals.sum_ns);
    encoder.encode_histogram::<NoLabelSet>(sum, totals.count(), &buckets, None)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;
    use crate::{
        admin::{health::Health, rates::Rates},
        shared::fixture::shared_state,
    };

    fn text(format: Format) -> String {
        let (shared, ..) = shared_state(2);
        let listener = shared.counters.listeners.listener("127.0.0.1:7", "text");
        listener.set_open(true);
        listener.worker(1).latency.record(Duration::from_micros(3));
        listener.worker(0).bytes_sent.add(12);
        listener.acceptor.refused.of(0).add(3);
        let (health, rates) = (Health::default(), Rates::default());
        let context = Context::new(&shared, &health, &rates);
        String::from_utf8(expose(&context, format)).unwrap()
    }

    #[test]
    fn both_formats_have_the_same_samples() {
        let prometheus = text(Format::Prometheus);
        let sample =
            "echo_bytes_total{listener=\"127.0.0.1:7\",protocol=\"text\",direction=\"sent\"} 12";
        assert!(prometheus.lines().any(|line| line == sample), "{prometheus}");
        let bucket = "echo_latency_seconds_bucket{listener=\"127.0.0.1:7\",protocol=\"text\",le=";
        let bucket = |bound: &str, count| format!("{bucket}\"{bound}\"}} {count}");
        for line in [bucket("2e-06", 0), bucket("5e-06", 1), bucket("+Inf", 1)] {
            assert!(prometheus.lines().any(|sample| sample == line), "{line}: {prometheus}");
        }
        assert!(prometheus.contains("# TYPE echo_bytes_total counter\n"), "{prometheus}");

        let openmetrics = text(Format::OpenMetrics);
        assert!(openmetrics.contains("# TYPE echo_bytes counter\n"), "{openmetrics}");
        assert!(openmetrics.ends_with("\n# EOF\n"), "{openmetrics}");
        // Those of the process change between two scrapes.
        let samples = |text: &str| -> BTreeSet<String> {
            let is_sample = |line: &&str| !line.starts_with('#') && !line.starts_with("process_");
            text.lines().filter(is_sample).map(normalized).collect()
        };
        let (openmetrics, prometheus) = (samples(&openmetrics), samples(&prometheus));
        let differences: Vec<_> = openmetrics.symmetric_difference(&prometheus).collect();
        assert!(differences.is_empty(), "only one format has {differences:#?}");
    }

    /// Returns a sample in one spelling: the formats differ in the order of labels and in the bounds of buckets.
    fn normalized(sample: &str) -> String {
        let number = |text: &str| {
            text.parse::<f64>().unwrap_or_else(|error| panic!("{error}: {sample}")).to_string()
        };
        let (series, value) = sample.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels =
            labels.strip_suffix('}').unwrap().split("\",").filter(|label| !label.is_empty());
        let labels: BTreeSet<_> = labels
            .map(|label| match label.trim_end_matches('"').split_once("=\"").unwrap() {
                ("le", bound) => format!("le={}", number(bound)),
                (name, value) => format!("{name}={value}"),
            })
            .collect();
        format!("{name} {labels:?} {}", number(value))
    }

    #[test]
    fn each_metric_is_declared_once_with_a_name_and_a_sentence_of_the_field() {
        let mut names = BTreeSet::new();
        for family in families() {
            assert!(names.insert(family.name), "{} is declared twice", family.name);
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(family.name.bytes().all(is_plain), "{}", family.name);
            assert!(!family.name.ends_with("_total"), "{}: the suffix is added", family.name);
            assert!(family.help.ends_with('.') && family.help.len() < 200, "{}", family.help);
        }
    }
}
