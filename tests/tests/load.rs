//! `echo-client load`: many processes, every byte checked, a verdict, and nobody left behind.

use std::{fs, net::SocketAddr, time::Duration};

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    binaries::echo_client,
    liar::{Liar, Lie},
    load::{Load, Report, prints},
    process::Handle,
    program::{Finished, Program},
    pty::{Terminal, keys},
    server::{EchoServer, Launch},
    standin,
};

/// A run that goes on until something ends it.
const LONG: &str = "--processes 3 --connections 4 --duration 10m --size 64 --pipeline 4";

/// So many bytes of [`LONG`] come back while it is under way: no connection's first messages any more.
const UNDER_WAY: u64 = 64 * 12 * 20;

fn quiet_server() -> EchoServer {
    EchoServer::start(&["--log-messages", "off"])
}

/// Runs `load` with exactly these arguments, separated by spaces.
fn run(server: SocketAddr, args: &str) -> Finished {
    let args: Vec<&str> = args.split_whitespace().collect();
    Program::client(server, &[&["load"], &args[..]].concat()).finish()
}

/// A run of [`LONG`] against an honest server that is well under way, and its three processes.
fn under_way() -> (Load, Liar, Vec<Handle>) {
    let server = Liar::to_all(Lie::Nothing);
    let load = Load::start(server.address(), LONG);
    server.wait_for_bytes(UNDER_WAY);
    let processes = load.processes();
    assert_eq!(processes.len(), 3, "{load:?}");
    (load, server, processes)
}

#[track_caller]
fn assert_all_end(processes: &[Handle]) {
    for process in processes {
        assert!(process.has_ended(), "a process has outlived its parent");
    }
}

#[test]
fn every_message_of_every_connection_is_counted_and_right() {
    let server = quiet_server();
    let report = Report::of(
        server.address(),
        "--processes 2 --connections 5 --messages 200 --size 1-300 --pipeline 8",
    );
    report.expect_well();
    assert_eq!(report.messages(), 2 * 5 * 200);
    for word in ["p50", "p90", "p99", r"p99\.9", "max", "rate", "connect", "errors"] {
        assert!(report.prints(word), "no {word}: {report:?}");
    }
}

/// Sizes at and around the bytes that carry a position, and messages of many packets.
#[test]
fn messages_of_any_size_and_depth_are_right() {
    let server = quiet_server();
    for (size, depth, messages) in
        [("1", 1, 50), ("1", 64, 500), ("15-17", 7, 200), ("64", 1, 50), ("100000-300000", 3, 10)]
    {
        let args = format!(
            "--processes 1 --connections 3 --messages {messages} --size {size} --pipeline {depth}"
        );
        let report = Report::of(server.address(), &args);
        report.expect_well();
        assert_eq!(report.messages(), 3 * messages, "{args}");
    }
}

/// All that goes over TCP; of ports there need be none.
#[test]
fn a_unix_socket_is_loaded_like_any_server() {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let path = directory.path().join("echo.sock");
    standin::echo_at(&path);
    let url = format!("unix://{}", path.display());
    for more in ["", "--churn 20", "--rate 2000", "--size 1-100000", "--expect-restart"] {
        let args = format!("--processes 2 --connections 5 --messages 100 --pipeline 4 {more}");
        let report = Report::at(&url, &args);
        report.expect_well();
        assert_eq!(report.messages(), 2 * 5 * 100, "{report:?}");
        assert_eq!(report.json("/plan/server"), &url[..]);
        let churn = if more.contains("churn") { 5 } else { 1 };
        assert_eq!(report.json("/connects"), 2 * 5 * churn, "{report:?}");
    }
}

#[test]
fn a_unix_socket_where_nobody_listens_is_said_once_with_status_1() {
    let ended = Program::start(echo_client(), &["load", "unix:///nowhere/echo.sock"]).finish();
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""));
    let line = "Error: Could not connect to server at unix:///nowhere/echo.sock";
    assert!(ended.stderr.starts_with(line), "{ended:?}");
}

#[test]
fn a_duration_ends_it() {
    let server = quiet_server();
    let report = Report::of(
        server.address(),
        "--processes 2 --connections 2 --duration 300ms --warmup 100ms --size 64 --rate 1000",
    );
    report.expect_well();
    assert!(report.messages() > 0, "{report:?}");
}

/// The same seed is the same run, to the byte; another is another.
#[test]
fn a_seed_decides_every_size() {
    let server = quiet_server();
    let bytes = |seed: u32| {
        let args = format!(
            "--processes 1 --connections 2 --messages 100 --size 1-1000 --pipeline 4 --seed {seed}"
        );
        let report = Report::of(server.address(), &args);
        report.expect_well();
        report.json("/bytes_sent").as_u64().expect("a number")
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn the_report_says_which_loop_it_was() {
    let server = quiet_server();
    let run = "--processes 1 --connections 2 --messages 100 --size 64";
    let open = Report::of(server.address(), &format!("{run} --rate 2000"));
    open.expect_well();
    assert!(open.prints("open.loop") && open.prints("lag"), "{open:?}");
    let closed = Report::of(server.address(), run);
    closed.expect_well();
    assert!(closed.prints("closed.loop"), "{closed:?}");
}

/// More than one process can send: what it did send is checked and counted, and it says whose limit
/// that was.
#[test]
fn a_rate_beyond_the_client_is_the_clients_limit() {
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --size 64 --duration 300ms --rate 3000000";
    let report = Report::of(server.address(), run);
    assert_eq!((report.code(), report.verdict()), (4, "CLIENT-LIMITED"), "{report:?}");
    assert!(report.messages() > 0, "{report:?}");
    report.expect_well();
}

/// Time in which nothing was due is time all the same.
#[test]
fn a_low_rate_is_measured_for_the_whole_time() {
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --size 64 --duration 500ms --rate 4";
    let report = Report::of(server.address(), run);
    assert_eq!(report.messages(), 2, "{report:?}");
    let rate = report.json("/rate").as_f64().expect("a number");
    assert!(rate <= 4.0, "{rate} messages a second came of 4 that were due: {report:?}");
    report.expect_well();
}

#[test]
fn churn_connects_anew_and_loses_nothing() {
    let server = quiet_server();
    let report = Report::of(
        server.address(),
        "--processes 2 --connections 3 --messages 100 --size 64 --pipeline 4 --churn 10",
    );
    report.expect_well();
    assert_eq!(report.messages(), 2 * 3 * 100);
    let connects = server.log().wait_for_lines("New client connected", 2 * 3 * 10).len();
    assert_eq!(connects, 2 * 3 * 10);
}

#[test]
fn assertions_that_hold_are_status_0_and_others_status_3() {
    // One that waits for its replies is never the limit itself.
    let server = Liar::to_all(Lie::Delay(Duration::from_millis(2)));
    for (asserts, code) in [
        ("--assert p99<1m --assert errors=0 --assert rate>1", 0),
        ("--assert p99<1ns", 3),
        ("--assert errors=0 --assert rate>1000000000000 --assert p50<1m", 3),
    ] {
        let run = "--processes 1 --connections 2 --messages 10 --size 64";
        let report = Report::of(server.address(), &format!("{run} {asserts}"));
        assert_eq!(report.code(), code, "{asserts}: {report:?}");
        assert_eq!(report.verdict(), "VALID", "{asserts}: {report:?}");
    }
}

/// What does not hold is named, and what was found instead.
#[test]
fn an_assertion_that_does_not_hold_is_named() {
    let server = quiet_server();
    let run = "--processes 1 --connections 2 --messages 100 --size 64";
    let report = Report::of(server.address(), &format!("{run} --assert p99<1ns"));
    assert!(report.prints("p99 ?< ?1 ?ns") || prints(&report.ended.stderr, "p99 ?< ?1 ?ns"));
}

/// A run that failed has failed, whatever else was asked of it.
#[test]
fn a_failure_goes_before_an_assertion() {
    let liar = Liar::to_first(Lie::FlipBit(70));
    let run = "--processes 1 --connections 2 --messages 100 --size 64";
    let report = Report::of(liar.address(), &format!("{run} --assert p99<1ns"));
    report.expect_failure();
}

#[test]
fn wrong_usage_is_one_line_and_status_2() {
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
fn no_server_is_said_once_with_status_1() {
    let nobody = standin::nobody();
    let ended = run(nobody, "--processes 3 --connections 2 --messages 10");
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert_eq!(
        ended.stderr,
        format!(
            "Error: Could not connect to server at {nobody}\nMake sure the server is running.\n"
        )
    );
}

#[test]
fn a_server_that_dies_in_mid_run_fails_it_and_leaves_nobody_behind() {
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

/// A restart of the server under load, once with the new one there before the old one has drained and
/// once behind it: no byte is lost, and every connection is made anew.
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
        report.expect_well();
        let drains = report.json("/drains").as_u64().expect("a number");
        assert!(drains >= 12, "{report:?}");
        assert_eq!(report.json("/bytes_lost"), 0, "{report:?}");
        assert_eq!(report.json("/connects"), 12 + drains, "{report:?}");
        assert!(report.prints("drained +[0-9,]+ connections") && report.prints("bytes lost +0$"));
    }
}

/// As above, for connections that come and go: nobody is refused for good who comes in between.
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
    report.expect_well();
    assert_eq!(report.json("/errors"), &serde_json::json!({}), "{report:?}");
    assert_eq!(report.json("/bytes_lost"), 0, "{report:?}");
}

/// Where a server stays away, what was to be sent again is lost.
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
fn sigint_and_sigterm_end_it_with_a_report_on_what_was_done() {
    for signal in [Signal::INT, Signal::TERM] {
        let (load, _server, processes) = under_way();
        load.program.signal(signal);
        let report = load.finish();
        report.expect_well();
        assert!(report.messages() >= UNDER_WAY / 64, "{report:?}");
        assert_eq!(report.json("/stopped_early"), true, "{report:?}");
        assert!(report.prints("stopped"), "{report:?}");
        assert_all_end(&processes);
    }
}

/// On a terminal the key goes to all of its processes at once.
#[test]
fn ctrl_c_in_a_terminal_ends_it_with_a_report() {
    let server = Liar::to_all(Lie::Nothing);
    let home = tempfile::tempdir().expect("a directory for temporary files");
    let args: Vec<&str> = ["load"].into_iter().chain(LONG.split_whitespace()).collect();
    let mut terminal = Terminal::client(server.address(), &args, home.path());
    terminal.wait_for_screen("a line of progress", |screen| prints(screen, "p99.*error"));
    terminal.send(keys::CTRL_C);
    let (status, screen) = terminal.finish();
    assert!(matches!(status, 0 | 4), "{screen}");
    assert!(prints(&screen, r"\bVALID\b|CLIENT-LIMITED"), "{screen}");
}

#[test]
fn no_process_outlives_a_parent_that_was_killed() {
    let (load, _server, processes) = under_way();
    load.program.signal(Signal::KILL);
    assert_all_end(&processes);
}

#[test]
fn a_process_that_dies_is_named_and_fails_the_run() {
    let server = Liar::to_all(Lie::Nothing);
    let load = Load::start(server.address(), "--processes 3 --connections 2 --duration 2s");
    server.wait_for_bytes(64 * 100);
    let processes = load.processes();
    processes[1].signal(Signal::KILL);
    let ended = load.finish().ended;
    assert_eq!(ended.code(), 1, "{ended:?}");
    let said = format!("{}{}", ended.stdout_text(), ended.stderr);
    assert!(prints(&said, r"process \d.*(signal|killed|died|ended)"), "{said}");
    assert_all_end(&processes);
}

/// One that hangs is given up, named, and ended.
#[test]
fn a_process_that_hangs_is_named_and_fails_the_run() {
    let server = Liar::to_all(Lie::Nothing);
    let load = Load::start(
        server.address(),
        "--processes 2 --connections 2 --duration 500ms --size 64 --timeout 500ms",
    );
    server.wait_for_bytes(64 * 40);
    let processes = load.processes();
    processes[0].signal(Signal::STOP);
    let ended = load.finish().ended;
    assert_eq!(ended.code(), 1, "{ended:?}");
    let said = format!("{}{}", ended.stdout_text(), ended.stderr);
    assert!(prints(&said, r"process \d"), "{said}");
    assert_all_end(&processes);
}

/// A report that cannot be kept is no report: a script must not take it for one.
#[test]
fn a_full_disk_is_one_line_and_status_1() {
    let server = quiet_server();
    for flag in ["--json", "--histogram"] {
        let args = format!("--processes 1 --connections 2 --messages 10 {flag} /dev/full");
        let ended = run(server.address(), &args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let line = ended.error_line();
        assert!(line.contains("/dev/full") && prints(line, "no space left"), "{line}");
    }
}

/// Where the report cannot be written is known before anything is done.
#[test]
fn a_file_that_cannot_be_made_is_said_before_the_run() {
    let server = quiet_server();
    for flag in ["--json", "--histogram"] {
        let args = format!("--processes 1 --connections 2 --duration 10m {flag} /nowhere/report");
        let ended = run(server.address(), &args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        assert!(ended.error_line().contains("/nowhere/report"), "{ended:?}");
    }
}

#[test]
fn a_closed_standard_output_is_no_panic() {
    let server = quiet_server();
    let script = "exec \"$0\" \"$@\" >&-";
    let client = echo_client();
    let port = server.address().port().to_string();
    let args = "load --processes 1 --connections 2 --messages 10 --port";
    let args: Vec<&str> = args.split_whitespace().chain([port.as_str()]).collect();
    let client = client.to_str().expect("a path of ours");
    let ended =
        Program::start("sh".into(), &[&["-c", script, client], &args[..]].concat()).finish();
    assert!(matches!(ended.code(), 0 | 1 | 4), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn too_many_connections_for_the_descriptors_is_said_before_the_run() {
    let server = EchoServer::start(&[]);
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let client = echo_client();
    let client = client.to_str().expect("a path of ours");
    let port = server.address().port().to_string();
    let args = "load --processes 1 --connections 200 --messages 10 --port";
    let args: Vec<&str> = args.split_whitespace().chain([port.as_str()]).collect();
    let ended =
        Program::start("sh".into(), &[&["-c", script, client], &args[..]].concat()).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let line = ended.error_line();
    assert!(prints(line, "descriptor|open files|ulimit") && line.contains("64"), "{line}");
    let (_, log) = server.terminate();
    assert!(!log.contains("New client connected"), "it had begun: {log}");
}

#[test]
fn merged_reports_are_the_sum_of_their_runs() {
    let server = quiet_server();
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let file = |name: &str| directory.path().join(name).to_str().expect("ours").to_owned();
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
        assert!(prints(ended.stdout_text(), r"messages\D*320\b"), "{ended:?}");
        let json = fs::read(&merged).unwrap_or_else(|error| panic!("{merged}: {error}"));
        let json: Value = serde_json::from_slice(&json).expect("a report is JSON");
        assert_eq!(json["messages"], 320, "{json:#}");
    }
}

#[test]
fn merging_what_is_no_report_is_one_line_and_status_1() {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let path = |name: &str| directory.path().join(name).to_str().expect("ours").to_owned();
    fs::write(path("empty"), "").expect("a file of ours");
    fs::write(path("other.json"), "{\"messages\": \"many\"}").expect("a file of ours");
    fs::write(path("binary"), [0xff, 0, 0xfe]).expect("a file of ours");
    for name in ["missing", "empty", "other.json", "binary"] {
        let ended = Program::start(echo_client(), &["load", "merge", &path(name)]).finish();
        assert_eq!(ended.code(), 1, "{name}: {ended:?}");
        assert!(ended.error_line().contains(name), "{ended:?}");
    }
}

#[test]
fn quiet_says_the_verdict_only() {
    let server = quiet_server();
    let report =
        Report::of(server.address(), "--processes 1 --connections 2 --messages 100 --quiet");
    report.expect_well();
    // The verdict, and nothing else.
    assert_eq!(report.ended.stdout_text().lines().count(), 1, "{report:?}");
    assert_eq!(report.messages(), 200);
}

/// A search: rates from low to high with their latencies, and the one that was found. A busy machine
/// may find none, and says so; the search and its curve are the same.
#[test]
fn the_highest_rate_under_a_limit_comes_with_its_curve() {
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --duration 100ms --warmup 50ms --size 64 --quiet";
    let report = Report::of(server.address(), &format!("{run} --find-rate p99<50ms"));
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
fn the_curve_is_printed() {
    let server = quiet_server();
    let run = "--processes 1 --connections 4 --duration 100ms --warmup 50ms --size 64";
    let report = Report::of(server.address(), &format!("{run} --find-rate p99<1ns"));
    // A busy machine makes the client late, and then the doubt is what the status says.
    assert!([3, 4].contains(&report.code()), "{report:?}");
    assert!(report.prints("rate.*p50.*p99.*max"), "{report:?}");
    assert!(report.prints(r"^ *1,000/s .*\d ?(ns|µs|ms|s) .*does not hold"), "{report:?}");
}
