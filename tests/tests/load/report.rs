//! The report of `echo-client load`: assertions, files, merging, and the search for a rate.

use std::{fs, os::unix::fs::symlink, time::Duration};

use serde_json::Value;
use tests::{
    log::matches,
    net::{Fault, FaultServer, mock_server::unused_address},
    programs::{EchoServer, Program, Report, binaries::echo_client},
};

#[test]
fn exits_with_0_if_all_assertions_hold_and_otherwise_with_3() {
    // A client that waits for replies is never the bottleneck.
    let server = FaultServer::on_all_connections(Fault::Delay(Duration::from_millis(2)));
    for (asserts, code) in [
        ("--assert p99<1m --assert errors=0 --assert rate>1", 0),
        ("--assert p99<1ns", 3),
        ("--assert errors=0 --assert rate>1000000000000 --assert p50<1m", 3),
    ] {
        let run = "--processes 1 --connections 2 --messages 10 --size 64";
        let report = Report::run(server.address(), &format!("{run} {asserts}"));
        assert_eq!(report.code(), code, "{asserts}: {report:?}");
        assert_eq!(report.verdict(), "VALID", "{asserts}: {report:?}");
    }
}

#[test]
fn the_time_series_of_a_load_adds_up_to_its_figures() {
    let server = EchoServer::start_quiet();
    let run = "--processes 2 --connections 3 --duration 1600ms --warmup 300ms --rate 500";
    let report = Report::run(server.address(), run);
    report.expect_success();
    let intervals = report.json("/series/intervals").as_array().unwrap();
    let sum = |key: &str| intervals.iter().map(|it| it[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(report.json("/series/interval_seconds"), 1);
    assert!(intervals.len() >= 2, "{intervals:?}");
    assert_eq!(sum("messages"), report.messages());
    assert_eq!((sum("errors"), sum("lost")), (0, 0));
    assert_eq!(intervals[0]["connections"], 6);
    let max = intervals.iter().map(|it| it["max_ns"].as_u64()).max().unwrap();
    assert_eq!(max, report.json("/latency/max_ns").as_u64());
}

#[test]
fn names_an_assertion_that_does_not_hold() {
    let server = EchoServer::start_quiet();
    let run = "--processes 1 --connections 2 --messages 100 --size 64";
    let report = Report::run(server.address(), &format!("{run} --assert p99<1ns"));
    assert!(report.prints("p99 ?< ?1 ?ns") || matches(&report.ended.stderr, "p99 ?< ?1 ?ns"));
}

#[test]
fn a_failure_takes_precedence_over_an_assertion() {
    let server = FaultServer::on_first_connection(Fault::FlipBit(70));
    let run = "--processes 1 --connections 2 --messages 100 --size 64";
    let report = Report::run(server.address(), &format!("{run} --assert p99<1ns"));
    report.expect_failure();
}

/// A script must not take an incomplete report for a complete one.
#[test]
fn reports_a_full_disk_in_one_line_and_exits_with_1() {
    let server = EchoServer::start_quiet();
    for flag in ["--json", "--html", "--histogram"] {
        let args = format!("--processes 1 --connections 2 --messages 10 {flag} /dev/full");
        let ended = Program::run_load(server.address(), &args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let line = ended.error_line();
        assert!(line.contains("/dev/full") && matches(line, "no space left"), "{line}");
    }
}

#[test]
fn reports_a_file_that_cannot_be_created_before_the_load_starts() {
    let server = EchoServer::start_quiet();
    for flag in ["--json", "--html", "--histogram"] {
        let args = format!("--processes 1 --connections 2 --duration 10m {flag} /nowhere/report");
        let ended = Program::run_load(server.address(), &args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert!(ended.error_line().contains("/nowhere/report"), "{ended:?}");
    }
}

/// A load that does not start has no new content for the file.
#[test]
fn a_file_keeps_its_content_until_there_is_a_report() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    // Longer than a report, of which nothing may remain.
    let old = "x".repeat(1_000_000);
    fs::write(&file, &old).expect("the file can be written");
    symlink(&file, &link).expect("a link can be created");
    let server = EchoServer::start_quiet();
    for flag in ["--json", "--html", "--histogram"] {
        let run = format!("--processes 1 --connections 2 --messages 10 {flag} {}", link.display());
        let ended = Program::run_load(unused_address(), &run);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let kept = fs::read_to_string(&file).expect("the file can be read");
        assert!(kept == old, "{flag}: {} bytes", kept.len());
        let ended = Program::run_load(server.address(), &run);
        assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
        let new = fs::read_to_string(&file).expect("the file can be read");
        assert!(!new.is_empty() && !new.contains("xxxx"), "{flag}: {new}");
        assert!(link.is_symlink(), "{flag}");
        fs::write(&file, &old).expect("the file can be written");
    }
}

#[test]
fn merge_adds_up_reports() {
    let server = EchoServer::start_quiet();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file =
        |name: &str| directory.path().join(name).to_str().expect("the path is UTF-8").to_owned();
    for (name, messages) in [("one", 30), ("two", 50)] {
        let args = format!(
            "--processes 2 --connections 2 --messages {messages} --size 64 --json {} --histogram {}",
            file(&format!("{name}.json")),
            file(&format!("{name}.hlog")),
        );
        let ended = Program::run_load(server.address(), &args);
        assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    }
    for ending in ["json", "hlog"] {
        let merged = file(&format!("merged-{ending}.json"));
        let (one, two) = (file(&format!("one.{ending}")), file(&format!("two.{ending}")));
        let args = ["load", "merge", &one, &two, "--json", &merged];
        let ended = Program::start(echo_client(), &args).finish();
        assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
        assert!(matches(ended.stdout_text(), r"messages\D*320\b"), "{ended:?}");
        let json = fs::read(&merged).unwrap_or_else(|error| panic!("{merged}: {error}"));
        let json: Value = serde_json::from_slice(&json).expect("a report is JSON");
        assert_eq!(json["messages"], 320, "{json:#}");
    }
}

#[test]
fn merge_reports_an_invalid_file_in_one_line_and_exits_with_1() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path =
        |name: &str| directory.path().join(name).to_str().expect("the path is UTF-8").to_owned();
    fs::write(path("empty"), "").expect("the file can be written");
    fs::write(path("other.json"), "{\"messages\": \"many\"}").expect("the file can be written");
    fs::write(path("binary"), [0xff, 0, 0xfe]).expect("the file can be written");
    for name in ["missing", "empty", "other.json", "binary"] {
        let ended = Program::start(echo_client(), &["load", "merge", &path(name)]).finish();
        assert_eq!(ended.code(), 1, "{name}: {ended:?}");
        assert!(ended.error_line().contains(name), "{ended:?}");
    }
}

#[test]
fn quiet_prints_only_the_verdict() {
    let server = EchoServer::start_quiet();
    let report =
        Report::run(server.address(), "--processes 1 --connections 2 --messages 100 --quiet");
    report.expect_success();
    assert_eq!(report.ended.stdout_text().lines().count(), 1, "{report:?}");
    assert_eq!(report.messages(), 200);
}

/// The report contains the tested rates in ascending order and the highest rate within the limit. On a busy
/// host there may be no such rate; the report then contains the same steps.
#[test]
fn find_rate_reports_the_highest_rate_and_all_steps() {
    let server = EchoServer::start_quiet();
    let run = "--processes 1 --connections 4 --duration 100ms --warmup 50ms --size 64 --quiet";
    let report = Report::run(server.address(), &format!("{run} --find-rate p99<50ms"));
    let steps = report.json("/find_rate/steps").as_array().expect("a list");
    assert!(steps.len() > 1, "{report:?}");
    let rates: Vec<f64> = steps.iter().filter_map(|step| step["target_rate"].as_f64()).collect();
    assert!(rates.is_sorted(), "{rates:?}");
    let found = report.json("/find_rate/found").as_f64();
    let expected: &[i32] = if found.is_some() { &[0, 4] } else { &[3, 4] };
    assert!(expected.contains(&report.code()), "{found:?}: {report:?}");
    assert!(found.is_none_or(|found| rates.iter().any(|rate| found <= *rate)), "{found:?}");
}

#[test]
fn find_rate_prints_all_steps() {
    let server = EchoServer::start_quiet();
    let run = "--processes 1 --connections 4 --duration 100ms --warmup 50ms --size 64";
    let report = Report::run(server.address(), &format!("{run} --find-rate p99<1ns"));
    // On a busy host the client is late, and the status is that of a client-limited result.
    assert!([3, 4].contains(&report.code()), "{report:?}");
    assert!(report.prints("rate.*p50.*p99.*max"), "{report:?}");
    assert!(report.prints(r"^ *1,000/s .*\d ?(ns|µs|ms|s) .*does not hold"), "{report:?}");
}
