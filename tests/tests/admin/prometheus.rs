//! Tests of the files for Prometheus in `docs/deploy/`: its tool accepts them, and each alert has a test, a remedy, and metrics
//! that the server has.

use std::{collections::BTreeSet, path::Path, process::Command};

use regex::Regex;
use serde_json::Value;
use tests::{
    deployment::{path, text},
    programs::{EchoServer, Program},
    requirements::{self, skip_without},
};

use crate::client::{admin_address, get};

const ALERTS: &str = "prometheus-alerts.yml";

/// Runs promtool, and returns what it has refused.
fn promtool(args: &[&str], file: &Path) -> Option<String> {
    let mut command = Command::new("promtool");
    command.args(args).arg(file);
    let finished = Program::spawn(command).finish();
    (finished.code() != 0).then(|| format!("{finished:?}"))
}

/// Returns the path of the unit tests of the alerts.
fn unit_tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/admin/prometheus_alerts.yml"))
}

/// Returns the alerts.
fn alerts() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&text(ALERTS)).expect("the file is YAML");
    file["groups"][0]["rules"].as_array().expect("a list of rules").clone()
}

#[test]
fn promtool_accepts_the_configuration_and_the_alerts() {
    if skip_without(&[requirements::promtool()]) {
        return;
    }
    let check = ["check", "config", "--lint-fatal"];
    assert_eq!(promtool(&check, &path("prometheus.yml")), None);
    assert_eq!(promtool(&["check", "rules", "--lint-fatal"], &path(ALERTS)), None);
}

#[test]
fn the_alerts_fire_when_they_should_and_only_then() {
    if skip_without(&[requirements::promtool()]) {
        return;
    }
    assert_eq!(promtool(&["test", "rules"], unit_tests()), None);
}

#[test]
fn each_alert_has_a_severity_a_remedy_and_a_unit_test() {
    let tests = std::fs::read_to_string(unit_tests()).expect("the file exists");
    let tests: Value = serde_saphyr::from_str(&tests).expect("the file is YAML");
    let tests = tests["tests"].as_array().expect("a list of tests");
    for alert in alerts() {
        let name = alert["alert"].as_str().expect("an alert has a name");
        let is_tested = |test: &Value| {
            test["name"].as_str().is_some_and(|test| test.starts_with(&format!("{name} ")))
        };
        assert!(tests.iter().any(is_tested), "{name} has no test");
        let severity = alert["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("critical" | "warning")), "{name}: {severity:?}");
        assert!(alert["annotations"]["summary"].is_string(), "{name}");
        let description = alert["annotations"]["description"].as_str().unwrap_or_default();
        assert!(description.ends_with('.') && description.len() > 100, "{name}: {description}");
    }
}

#[test]
fn the_server_has_every_metric_of_the_alerts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db").display().to_string();
    let server = EchoServer::start_with(&[
        "--admin",
        "http://127.0.0.1:0",
        "--history",
        &history,
        // Nothing answers at this port.
        "--rooms",
        "redis://127.0.0.1:1",
        "--listen",
        "tls://127.0.0.1:0?delay=1ms",
        "--tls-self-signed",
    ]);
    let metrics = get(admin_address(&server), "/metrics").body;
    let shown: BTreeSet<&str> = metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let name = Regex::new(r"\becho_[a-z_]+").expect("a constant");
    for alert in alerts() {
        let expression = alert["expr"].as_str().expect("an alert has an expression");
        for used in name.find_iter(expression) {
            assert!(shown.contains(used.as_str()), "{}: {metrics}", used.as_str());
        }
    }
}
