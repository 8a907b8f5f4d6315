//! Tests of `echo-client load`: the checks, the report, the exit status, and the end of all processes.

use std::{fs, net::SocketAddr, time::Duration};

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    log::matches,
    net::{Fault, FaultServer, mock_server},
    programs::{
        EchoServer, Finished, Launch, Load, Program, Report, Terminal, binaries::echo_client, keys,
    },
    system::process::Handle,
};

/// Options of a load test that runs until it is stopped.
const LONG: &str = "--processes 3 --connections 4 --duration 10m --size 64 --pipeline 4";

/// Number of bytes after which every connection of [`LONG`] has exchanged its first messages.
const WARMED_UP: u64 = 64 * 12 * 20;

fn quiet_server() -> EchoServer {
    EchoServer::start(&["--log-messages", "off"])
}

/// Runs `load` with exactly these arguments, separated by spaces.
fn run(server: SocketAddr, args: &str) -> Finished {
    let args: Vec<&str> = args.split_whitespace().collect();
    Program::client(server, &[&["load"], &args[..]].concat()).finish()
}

/// Starts [`LONG`] against a server without faults and waits until all connections are in use; returns the load
/// test, the server and the three processes.
fn start_long() -> (Load, FaultServer, Vec<Handle>) {
    let server = FaultServer::on_all_connections(Fault::None);
    let load = Load::start(server.address(), LONG);
    server.wait_for_bytes(WARMED_UP);
    let processes = load.processes();
    assert_eq!(processes.len(), 3, "{load:?}");
    (load, server, processes)
}

#[track_caller]
fn assert_all_end(processes: &[Handle]) {
    for process in processes {
        assert!(process.has_ended(), "a process still runs after its parent has ended");
    }
}

#[test]
fn counts_and_checks_every_message() {
    let server = quiet_server();
    let report = Report::run(
        server.address(),
        "--processes 2 --connections 5 --messages 200 --size 1-300 --pipeline 8",
    );
    report.expect_success();
    assert_eq!(report.messages(), 2 * 5 * 200);
    for word in ["p50", "p90", "p99", r"p99\.9", "max", "rate", "connect", "errors"] {
        assert!(report.prints(word), "{word} is missing: {report:?}");
    }
}

/// Sizes at and around the length of the position in the payload, and messages of many packets.
#[test]
fn checks_messages_of_any_size_and_pipeline_depth() {
    let server = quiet_server();
    for (size, depth, messages) in
        [("1", 1, 50), ("1", 64, 500), ("15-17", 7, 200), ("64", 1, 50), ("100000-300000", 3, 10)]
    {
        let args = format!(
            "--processes 1 --connections 3 --messages {messages} --size {size} --pipeline {depth}"
        );
        let report = Report::run(server.address(), &args);
        report.expect_success();
        assert_eq!(report.messages(), 3 * messages, "{args}");
    }
}

/// All options of a load test over TCP also work over a Unix socket.
#[test]
fn loads_a_unix_socket() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("echo.sock");
    mock_server::echo_on_unix_socket(&path);
    let url = format!("unix://{}", path.display());
    for more in ["", "--churn 20", "--rate 2000", "--size 1-100000", "--expect-restart"] {
        let args = format!("--processes 2 --connections 5 --messages 100 --pipeline 4 {more}");
        let report = Report::at_url(&url, &args);
        report.expect_success();
        assert_eq!(report.messages(), 2 * 5 * 100, "{report:?}");
        assert_eq!(report.json("/plan/server"), &url[..]);
        let churn = if more.contains("churn") { 5 } else { 1 };
        assert_eq!(report.json("/connects"), 2 * 5 * churn, "{report:?}");
    }
}

#[test]
fn reports_a_missing_unix_socket_once_and_exits_with_1() {
    let ended = Program::start(echo_client(), &["load", "unix:///nowhere/echo.sock"]).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""));
    let line = "Error: Could not connect to server at unix:///nowhere/echo.sock";
    assert!(ended.stderr.starts_with(line), "{ended:?}");
}

#[test]
fn ends_after_its_duration() {
    let server = quiet_server();
    let report = Report::run(
        server.address(),
        "--processes 2 --connections 2 --duration 300ms --warmup 100ms --size 64 --rate 1000",
    );
    report.expect_success();
    assert!(report.messages() > 0, "{report:?}");
}

/// The same seed gives the same number of bytes; another seed gives another.
#[test]
fn the_seed_determines_every_size() {
    let server = quiet_server();
    let bytes = |seed: u32| {
        let args = format!(
            "--processes 1 --connections 2 --messages 100 --size 1-1000 --pipeline 4 --seed {seed}"
        );
        let report = Report::run(server.address(), &args);
        report.expect_success();
        report.json("/bytes_sent").as_u64().expect("a number")
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn the_report_names_the_kind_of_loop() {
    let server = quiet_server();
    let run = "--processes 1 --connections 2 --messages 100 --size 64";
    let open = Report::run(server.address(), &format!("{run} --rate 2000"));
    open.expect_success();
    assert!(open.prints("open.loop") && open.prints("lag"), "{open:?}");
    let closed = Report::run(server.address(), run);
    closed.expect_success();
    assert!(closed.prints("closed.loop"), "{closed:?}");
}

/// One process cannot send at this rate: the client checks and counts what it has sent, and reports that it is
/// the bottleneck.
#[test]
fn a_rate_above_that_of_the_client_makes_the_result_client_limited() {
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --size 64 --duration 300ms --rate 3000000";
    let report = Report::run(server.address(), run);
    assert_eq!((report.code(), report.verdict()), (4, "CLIENT-LIMITED"), "{report:?}");
    assert!(report.messages() > 0, "{report:?}");
    report.expect_success();
}

/// Time without a scheduled message counts too.
#[test]
fn measures_a_low_rate_over_the_whole_duration() {
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --size 64 --duration 500ms --rate 4";
    let report = Report::run(server.address(), run);
    assert_eq!(report.messages(), 2, "{report:?}");
    let rate = report.json("/rate").as_f64().expect("a number");
    assert!(rate <= 4.0, "{rate} messages a second instead of at most 4: {report:?}");
    report.expect_success();
}

#[test]
fn churn_reconnects_and_loses_nothing() {
    let server = quiet_server();
    let report = Report::run(
        server.address(),
        "--processes 2 --connections 3 --messages 100 --size 64 --pipeline 4 --churn 10",
    );
    report.expect_success();
    assert_eq!(report.messages(), 2 * 3 * 100);
    let connects = server.log().wait_for_lines("New client connected", 2 * 3 * 10).len();
    assert_eq!(connects, 2 * 3 * 10);
}

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
fn names_an_assertion_that_does_not_hold() {
    let server = quiet_server();
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

#[test]
fn reports_a_usage_error_in_one_line_and_exits_with_2() {
    let server = quiet_server();
    for args in [
        "--assert p99<soon",
        "--assert nonsense",
        "--assert p99~5ms",
        "--assert speed>5",
        "--size 0",
        "--size 300-1",
        "--size many",
        "--processes 0",
        "--connections 0",
        "--messages 0",
        "--pipeline 0",
        "--rate 0",
        "--rate -5",
        "--rate NaN",
        "--churn 0",
        "--duration 5",
        "--messages 5 --duration 5s",
        "--find-rate p99",
        "--no-such-flag",
        "merge",
    ] {
        let ended = run(server.address(), args);
        assert_eq!(ended.code(), 2, "{args}: {ended:?}");
        assert_eq!(ended.stdout_text(), "", "{args}");
        let _ = ended.error_line();
    }
}

#[test]
fn reports_a_failed_connection_once_and_exits_with_1() {
    let closed = mock_server::unused_address();
    let ended = run(closed, "--processes 3 --connections 2 --messages 10");
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert_eq!(
        ended.stderr,
        format!(
            "Error: Could not connect to server at {closed}\nMake sure the server is running.\n"
        )
    );
}

#[test]
fn fails_and_ends_all_processes_if_the_server_is_killed() {
    let server = EchoServer::start(&["--log-messages", "on"]);
    let load = Load::start(server.address(), LONG);
    server.wait_for_log("Echoed to");
    let processes = load.processes();
    assert_eq!(processes.len(), 3, "{load:?}");
    server.signal(Signal::KILL);
    let report = load.finish();
    report.expect_failure();
    assert!(report.prints("closed|reset"), "{report:?}");
    assert_all_end(&processes);
}

/// The new server starts before the old one drains, or after it has drained. The load test opens every
/// connection again.
#[test]
fn a_restart_under_load_loses_nothing() {
    for args in [&["--reuse-port"][..], &[]] {
        let old = EchoServer::start(args);
        let port = old.address().port();
        let load = Load::start(old.address(), &format!("{LONG} --expect-restart"));
        old.wait_for_log("Echoed to");
        let start = || Launch::new(args).port(port).start();
        let (status, new) = if args.is_empty() {
            (old.terminate().0, start())
        } else {
            let new = start();
            (old.terminate().0, new)
        };
        assert_eq!(status.code(), Some(0));
        let _ = new.log().wait_for_lines("New client connected", 12);
        load.program.signal(Signal::INT);
        let report = load.finish();
        report.expect_success();
        let drains = report.json("/drains").as_u64().expect("a number");
        assert!(drains >= 12, "{report:?}");
        assert_eq!(report.json("/bytes_lost"), 0, "{report:?}");
        assert_eq!(report.json("/connects"), 12 + drains, "{report:?}");
        assert!(report.prints("drained +[0-9,]+ connections") && report.prints("bytes lost +0$"));
    }
}

/// The load test tries again when a connection is refused between the two servers.
#[test]
fn a_restart_between_short_connections_is_no_error() {
    let old = EchoServer::start(&[]);
    let port = old.address().port();
    let load = Load::start(old.address(), &format!("{LONG} --churn 5 --expect-restart"));
    old.wait_for_log("Echoed to");
    assert_eq!(old.terminate().0.code(), Some(0));
    let new = Launch::new::<&str>(&[]).port(port).start();
    let _ = new.log().wait_for_lines("New client connected", 24);
    load.program.signal(Signal::INT);
    let report = load.finish();
    report.expect_success();
    assert_eq!(report.json("/errors"), &serde_json::json!({}), "{report:?}");
    assert_eq!(report.json("/bytes_lost"), 0, "{report:?}");
}

/// Without a new server, the bytes to send again are lost.
#[test]
fn a_server_that_does_not_come_back_fails_the_run() {
    let server = EchoServer::start(&[]);
    let load = Load::start(server.address(), &format!("{LONG} --expect-restart --timeout 300ms"));
    server.wait_for_log("Echoed to");
    assert_eq!(server.terminate().0.code(), Some(0));
    let report = load.finish();
    report.expect_failure();
    assert_eq!(report.json("/errors/connect"), 12, "{report:?}");
    assert!(report.json("/bytes_lost").as_u64() > Some(0), "{report:?}");
}

#[test]
fn sigint_and_sigterm_end_the_test_with_a_report() {
    for signal in [Signal::INT, Signal::TERM] {
        let (load, _server, processes) = start_long();
        load.program.signal(signal);
        let report = load.finish();
        report.expect_success();
        assert!(report.messages() >= WARMED_UP / 64, "{report:?}");
        assert_eq!(report.json("/stopped_early"), true, "{report:?}");
        assert!(report.prints("stopped"), "{report:?}");
        assert_all_end(&processes);
    }
}

/// The terminal sends SIGINT to all processes at the same time.
#[test]
fn ctrl_c_in_a_terminal_ends_the_test_with_a_report() {
    let server = FaultServer::on_all_connections(Fault::None);
    let home = tempfile::tempdir().expect("a temporary directory");
    let args: Vec<&str> = ["load"].into_iter().chain(LONG.split_whitespace()).collect();
    let mut terminal = Terminal::client(server.address(), &args, home.path());
    terminal.wait_for_screen("a line of progress", |screen| matches(screen, "p99.*error"));
    terminal.send(keys::CTRL_C);
    let (status, screen) = terminal.finish();
    assert!(matches!(status, 0 | 4), "{screen}");
    assert!(matches(&screen, r"\bVALID\b|CLIENT-LIMITED"), "{screen}");
}

#[test]
fn all_processes_end_when_their_parent_is_killed() {
    let (load, _server, processes) = start_long();
    load.program.signal(Signal::KILL);
    assert_all_end(&processes);
}

#[test]
fn names_a_killed_process_and_fails() {
    let server = FaultServer::on_all_connections(Fault::None);
    let load = Load::start(server.address(), "--processes 3 --connections 2 --duration 2s");
    server.wait_for_bytes(64 * 100);
    let processes = load.processes();
    processes[1].signal(Signal::KILL);
    let ended = load.finish().ended;
    assert_eq!(ended.code(), 1, "{ended:?}");
    let output = format!("{}{}", ended.stdout_text(), ended.stderr);
    assert!(matches(&output, r"process \d.*(signal|killed|died|ended)"), "{output}");
    assert_all_end(&processes);
}

/// The parent gives up a stopped process, names it and ends it.
#[test]
fn names_a_process_that_does_not_respond_and_fails() {
    let server = FaultServer::on_all_connections(Fault::None);
    let load = Load::start(
        server.address(),
        "--processes 2 --connections 2 --duration 500ms --size 64 --timeout 500ms",
    );
    server.wait_for_bytes(64 * 40);
    let processes = load.processes();
    processes[0].signal(Signal::STOP);
    let ended = load.finish().ended;
    assert_eq!(ended.code(), 1, "{ended:?}");
    let output = format!("{}{}", ended.stdout_text(), ended.stderr);
    assert!(matches(&output, r"process \d"), "{output}");
    assert_all_end(&processes);
}

/// A script must not take an incomplete report for a complete one.
#[test]
fn reports_a_full_disk_in_one_line_and_exits_with_1() {
    let server = quiet_server();
    for flag in ["--json", "--histogram"] {
        let args = format!("--processes 1 --connections 2 --messages 10 {flag} /dev/full");
        let ended = run(server.address(), &args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let line = ended.error_line();
        assert!(line.contains("/dev/full") && matches(line, "no space left"), "{line}");
    }
}

#[test]
fn reports_a_file_that_cannot_be_created_before_the_load_starts() {
    let server = quiet_server();
    for flag in ["--json", "--histogram"] {
        let args = format!("--processes 1 --connections 2 --duration 10m {flag} /nowhere/report");
        let ended = run(server.address(), &args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert!(ended.error_line().contains("/nowhere/report"), "{ended:?}");
    }
}

#[test]
fn a_closed_standard_output_causes_no_panic() {
    let server = quiet_server();
    let script = "exec \"$0\" \"$@\" >&-";
    let client = echo_client();
    let port = server.address().port().to_string();
    let args = "load --processes 1 --connections 2 --messages 10 --port";
    let args: Vec<&str> = args.split_whitespace().chain([port.as_str()]).collect();
    let client = client.to_str().expect("the path is UTF-8");
    let ended =
        Program::start("sh".into(), &[&["-c", script, client], &args[..]].concat()).finish();
    assert!(matches!(ended.code(), 0 | 1 | 4), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn reports_too_many_connections_for_the_descriptor_limit_before_the_load_starts() {
    let server = EchoServer::start(&[]);
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let client = echo_client();
    let client = client.to_str().expect("the path is UTF-8");
    let port = server.address().port().to_string();
    let args = "load --processes 1 --connections 200 --messages 10 --port";
    let args: Vec<&str> = args.split_whitespace().chain([port.as_str()]).collect();
    let ended =
        Program::start("sh".into(), &[&["-c", script, client], &args[..]].concat()).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let line = ended.error_line();
    assert!(matches(line, "descriptor|open files|ulimit") && line.contains("64"), "{line}");
    let (_, log) = server.terminate();
    assert!(!log.contains("New client connected"), "the load has started: {log}");
}

#[test]
fn merge_adds_up_reports() {
    let server = quiet_server();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file =
        |name: &str| directory.path().join(name).to_str().expect("the path is UTF-8").to_owned();
    for (name, messages) in [("one", 30), ("two", 50)] {
        let args = format!(
            "--processes 2 --connections 2 --messages {messages} --size 64 --json {} --histogram {}",
            file(&format!("{name}.json")),
            file(&format!("{name}.hlog")),
        );
        let ended = run(server.address(), &args);
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
    let server = quiet_server();
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
    let server = quiet_server();
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
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --duration 100ms --warmup 50ms --size 64";
    let report = Report::run(server.address(), &format!("{run} --find-rate p99<1ns"));
    // On a busy host the client is late, and the status is that of a client-limited result.
    assert!([3, 4].contains(&report.code()), "{report:?}");
    assert!(report.prints("rate.*p50.*p99.*max"), "{report:?}");
    assert!(report.prints(r"^ *1,000/s .*\d ?(ns|µs|ms|s) .*does not hold"), "{report:?}");
}
