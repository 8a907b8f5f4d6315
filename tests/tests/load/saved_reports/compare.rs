//! `echo-client load compare`: what has changed from one load to another.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    log::matches,
    programs::{EchoServer, Finished, Program, Report, binaries::echo_client},
};

/// Reports in a directory. Their figures are chosen, so that nothing depends on the time that a server takes.
struct Reports {
    directory: TempDir,
    report: Value,
}

impl Reports {
    fn new() -> Self {
        let server = EchoServer::start_quiet();
        let load = Report::run(server.address(), "--processes 1 --connections 2 --messages 100");
        load.expect_success();
        let mut report = load.json.expect("a report");
        report["verdict"] = json!("VALID");
        Self { directory: tempfile::tempdir().expect("a temporary directory"), report }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the report with these changes.
    fn write(&self, name: &str, changes: &[(&str, Value)]) {
        let mut report = self.report.clone();
        for (pointer, value) in changes {
            *report.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
        }
        fs::write(self.path(name), report.to_string()).expect("the file can be written");
    }

    fn compare(&self, names: [&str; 2], args: &[&str]) -> Finished {
        let [base, other] = names.map(|name| self.path(name).display().to_string());
        Program::start(echo_client(), &[&["load", "compare", &base, &other], args].concat())
            .finish()
    }
}

#[test]
fn equal_reports_hold_and_a_lower_rate_does_not() {
    let reports = Reports::new();
    reports.write("base", &[("/rate", json!(1000.0))]);
    reports.write("same", &[("/rate", json!(1000.0))]);
    reports.write("slow", &[("/rate", json!(800.0))]);
    let assertions = ["--assert", "rate>-5%", "--assert", "p99<+10%", "--assert", "errors<=+0"];
    let same = reports.compare(["base", "same"], &assertions);
    assert_eq!(same.code(), 0, "{same:?}");
    assert!(matches(same.stdout_text(), r"^ *rate +1,000/s +1,000/s +1\.000"), "{same:?}");
    let slow = reports.compare(["base", "slow"], &assertions);
    assert_eq!(slow.code(), 3, "{slow:?}");
    assert!(matches(slow.stdout_text(), r"^ *rate +1,000/s +800/s +0\.800"), "{slow:?}");
    let line = r"^Assertion rate>-5% does not hold: rate is 800/s, -20\.0 % against 1,000/s";
    assert!(matches(slow.stdout_text(), line), "{slow:?}");
}

#[test]
fn a_failed_load_ends_with_1_and_a_limited_client_with_4() {
    let reports = Reports::new();
    reports.write("base", &[]);
    let failed = [("/verdict", json!("FAILED")), ("/reason", json!("3 errors"))];
    reports.write("failed", &failed);
    reports.write("limited", &[("/verdict", json!("CLIENT-LIMITED"))]);
    for (names, code) in
        [(["base", "failed"], 1), (["failed", "base"], 1), (["base", "limited"], 4)]
    {
        let ended = reports.compare(names, &["--assert", "p99<+1000%"]);
        assert_eq!(ended.code(), code, "{ended:?}");
        assert!(ended.stdout_text().contains("so its figures may be wrong"), "{ended:?}");
    }
    let failed = reports.compare(["base", "failed"], &["--quiet"]);
    assert!(matches(failed.stdout_text(), r"^FAILED: \S*failed: 3 errors$"), "{failed:?}");
    assert_eq!(failed.stdout_text().lines().count(), 1, "{failed:?}");
}

#[test]
fn warns_of_loads_that_differ_in_their_settings() {
    let reports = Reports::new();
    reports.write("base", &[]);
    reports.write("other", &[("/plan/max_size", json!(512)), ("/plan/seed", json!(1))]);
    let ended = reports.compare(["base", "other"], &[]);
    let warning = "Warning: the loads differ in size: 64 bytes and 64 to 512 bytes";
    assert!(ended.stdout_text().contains(warning), "{ended:?}");
    assert!(!ended.stdout_text().contains("differ in seed"), "{ended:?}");
}

#[test]
fn writes_the_comparison_and_its_page() {
    let reports = Reports::new();
    reports.write("base", &[]);
    reports.write("other", &[]);
    let (json, html) = (reports.path("c.json"), reports.path("c.html"));
    let args = ["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let ended = reports.compare(["base", "other"], &args);
    assert_eq!(ended.code(), 0, "{ended:?}");
    let comparison = fs::read(json).expect("the file was written");
    let comparison: Value = serde_json::from_slice(&comparison).expect("it is JSON");
    assert_eq!((&comparison["version"], &comparison["verdict"]), (&json!(1), &json!("VALID")));
    let metric = |name| {
        let metrics = comparison["metrics"].as_array().expect("a list");
        metrics.iter().find(|it| it["metric"] == name).expect("the metric")
    };
    assert_eq!(metric("p50")["ratio"], 1.0, "{comparison:#}");
    let page = fs::read_to_string(html).expect("the file was written");
    assert!(page.starts_with("<!doctype html>") && page.contains("<td>1.000</td>"));
}

#[test]
fn refuses_an_assertion_without_a_change_and_files_that_are_no_reports() {
    let reports = Reports::new();
    reports.write("base", &[]);
    reports.write("other", &[]);
    let ended = reports.compare(["base", "other"], &["--assert", "p99<10ms"]);
    assert_eq!(ended.code(), 2, "{ended:?}");
    assert!(ended.stderr.contains("a change with its sign"), "{ended:?}");
    let ended = reports.compare(["base", "base"], &[]);
    assert_eq!(ended.code(), 2, "{ended:?}");
    let ended = reports.compare(["base", "missing"], &[]);
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.error_line().contains("missing"), "{ended:?}");
    let base = reports.path("base").display().to_string();
    let ended = reports.compare(["base", "other"], &["--html", &base]);
    assert_eq!(ended.code(), 2, "{ended:?}");
    assert!(ended.stderr.contains("would overwrite the input"), "{ended:?}");
}
