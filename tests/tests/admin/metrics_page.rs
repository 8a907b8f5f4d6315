//! The metrics that docs/OBSERVE.md explains, beside those of a real server.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use tests::{programs::Launch, promql::page_metrics};

use crate::client::{admin_address, get};

/// Type and labels of each metric.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Returns the metrics of a server on which everything is on.
fn exposed() -> Metrics {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("echo.db");
    let history = history.to_str().expect("the path is UTF-8");
    let args = [
        "--admin=http://127.0.0.1:0",
        "--listen=tcp://127.0.0.1:0",
        "--listen=tcp://127.0.0.1:0?proxy=required",
        "--listen=tcp://127.0.0.1:0?protocol=room",
        "--listen=tcp://127.0.0.1:0?delay=1ms",
        "--listen=udp://127.0.0.1:0",
        "--listen=tls://127.0.0.1:0",
        "--tls-self-signed",
        "--rooms=redis://127.0.0.1:1",
        "--history",
        history,
    ];
    let server = Launch::new(&args).without_port().start();
    let text = get(admin_address(&server), "/metrics").body;
    let family = Regex::new(r"(?m)^# TYPE (\w+) (\w+)$").expect("it compiles");
    let metric = |found: regex::Captures<'_>| {
        let (name, form) = (found[1].to_owned(), found[2].to_owned());
        let labels = labels(&text, &name);
        (name, (form, labels))
    };
    family.captures_iter(&text).map(metric).collect()
}

/// Returns the labels of the samples of a family, without that of a bucket.
fn labels(text: &str, name: &str) -> BTreeSet<String> {
    let sample = format!(r"(?m)^{name}(?:_bucket|_sum|_count)?(?:\{{(.*)\}})? ");
    let sample = Regex::new(&sample).expect("it compiles");
    let label = Regex::new(r#"(\w+)="(?:[^"\\]|\\.)*""#).expect("it compiles");
    let texts = sample.captures_iter(text).filter_map(|found| found.get(1));
    let labels = texts.flat_map(|text| label.captures_iter(text.as_str()));
    labels.map(|found| found[1].to_owned()).filter(|label| label != "le").collect()
}

#[test]
fn the_page_explains_each_metric_of_the_server_and_no_other() {
    let exposed = exposed();
    let explained: Metrics = page_metrics()
        .into_iter()
        .map(|(name, form, labels)| (name, (form, labels.into_iter().collect())))
        .collect();
    let names = |metrics: &Metrics| metrics.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&exposed), names(&explained));
    for (name, (form, labels)) in exposed {
        let (explained_form, explained_labels) = &explained[&name];
        assert_eq!(&form, explained_form, "{name}");
        // A counter by reason has no samples before the first one.
        assert!(labels.is_subset(explained_labels), "{name}: {labels:?}");
    }
}
