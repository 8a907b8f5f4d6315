//! `--start-at`: the loads begin together, and their reports have the time of the start and the state of the clock.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tests::{
    net::{Fault, FaultServer},
    programs::{EchoServer, Load, Program, Terminal, TlsEchoServer, keys},
};

/// Returns the Unix time in this many seconds, as `--start-at` takes it, rounded up to a whole one.
#[expect(clippy::disallowed_methods, reason = "the argument is a time of the clock")]
fn in_seconds(seconds: u64) -> String {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    format!("@{}", (time + Duration::from_secs(seconds)).as_secs() + 1)
}

/// Returns a time of a report, in a form that is ordered as the times are.
fn time<'v>(start: &'v Value, name: &str) -> &'v str {
    start[name].as_str().unwrap_or_else(|| panic!("no time {name}: {start}")).trim_end_matches('Z')
}

#[test]
fn loads_with_the_same_time_do_not_begin_before_it_and_their_merged_report_compares_the_starts() {
    let server = EchoServer::start_quiet();
    let start_at = in_seconds(6);
    let args = format!("--processes 2 --connections 2 --messages 50 --start-at {start_at}");
    let reports = [(); 2].map(|()| Load::start(server.address(), &args)).map(Load::finish);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = [0, 1].map(|number| directory.path().join(number.to_string()));
    for (report, file) in reports.iter().zip(&files) {
        report.expect_success();
        let start = report.json("/start");
        assert!(time(start, "actual") >= time(start, "requested"), "{start}");
        assert!(report.prints("^ *started .* after the requested time"), "{report:?}");
        assert!(report.prints("^ *clock .*(at most|unknown)"), "{report:?}");
        let report = report.json.as_ref().expect("a report").to_string();
        fs::write(file, report).expect("the file can be written");
    }
    let files = files.each_ref().map(|file| file.to_str().expect("the path is UTF-8"));
    let merged = Program::run_client(&["load", "merge", files[0], files[1], "--json", "-"]);
    let merged: Value = serde_json::from_slice(&merged.stdout).expect("a report is JSON");
    let [first, last] = ["first", "last"].map(|name| time(&merged["starts"], name));
    let starts = reports.each_ref().map(|report| time(report.json("/start"), "actual"));
    assert_eq!([first, last].iter().max(), starts.iter().max());
    assert_eq!([first, last].iter().min(), starts.iter().min());
    // Both loads ran on this machine.
    assert_eq!(merged["starts"]["clock_difference_ns"], 0, "{}", merged["starts"]);
}

/// A tip about TLS would be wrong, since the server has received nothing.
#[test]
fn connections_that_the_server_ends_before_the_start_are_named_as_such() {
    let timeout = ["--idle-timeout", "200ms"];
    let plain = EchoServer::start(&timeout);
    let tls = TlsEchoServer::start("", &timeout);
    let trust = format!("--tls-ca {}", tls.ca.file());
    for (url, trust) in [(format!("tcp://{}", plain.address()), ""), (tls.url(), &trust)] {
        let run = format!("{trust} --processes 2 --connections 2 --start-at {}", in_seconds(6));
        let report = Load::at_url(&url, &run).finish();
        report.expect_failure();
        let reason = report.json("/reason").as_str().unwrap_or_default();
        assert!(reason.contains("the server ended 4 connections before the start"), "{reason}");
        assert!(!reason.contains("speaks TLS"), "{reason}");
    }
}

#[test]
fn only_the_first_step_of_a_search_waits_for_the_start() {
    let server = EchoServer::start_quiet();
    let args = format!(
        "--connections 2 --duration 20ms --warmup 0s --rate 1000 --find-rate p99<1ns --start-at {}",
        in_seconds(5)
    );
    let report = Load::start(server.address(), &args).finish();
    assert!([3, 4].contains(&report.code()), "{report:?}");
    let start = report.json("/start");
    assert!(time(start, "actual") >= time(start, "requested"), "{start}");
}

#[test]
fn refuses_a_time_that_has_passed_or_is_more_than_a_day_ahead() {
    let server = EchoServer::start_quiet();
    let (past, far) = ("@1000000000".to_owned(), in_seconds(25 * 3600));
    for (time, advice) in [(past, "choose a later time"), (far, "choose a time within a day")] {
        let ended = Program::run_load(server.address(), &format!("--start-at {time}"));
        assert_eq!(ended.code(), 2, "{ended:?}");
        assert!(ended.error_line().contains(advice), "{ended:?}");
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_the_start() {
    let server = FaultServer::on_all_connections(Fault::None);
    let home = tempfile::tempdir().expect("a temporary directory");
    let args = ["load", "--processes", "2", "--start-at", &in_seconds(3600)];
    let mut terminal = Terminal::client(server.address(), &args, home.path());
    terminal.wait_for("starts in ");
    terminal.send(keys::CTRL_C);
    let (status, screen) = terminal.finish();
    assert_eq!(status, 130, "{screen}");
}
