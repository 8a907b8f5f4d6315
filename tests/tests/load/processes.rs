//! The processes of `echo-client load`: signals, a process that dies or hangs, and the limits of the system.

use std::collections::BTreeSet;

use rustix::process::Signal;
use tests::{
    log::matches,
    net::{Fault, FaultServer},
    programs::{EchoServer, Load, Program, Terminal, binaries::echo_client, keys},
    system::process::Handle,
};

/// Options of a load test that runs until it is stopped.
const LONG: &str = "--processes 3 --connections 4 --duration 10m --size 64 --pipeline 4";

/// Number of bytes after which every connection of [`LONG`] has exchanged its first messages.
const WARMED_UP: u64 = 64 * 12 * 20;

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
    // The run may be too short to tell whether the client was the limit.
    assert!(matches(&screen, r"\bVALID\b|CLIENT-LIMITED|UNKNOWN"), "{screen}");
}

/// Returns the label at the end of the time axis, such as `14 s`.
fn end_label(screen: &str) -> Option<&str> {
    let axis = screen.lines().find_map(|line| line.trim().strip_prefix("0 "));
    axis.map(str::trim).filter(|end| end.ends_with(" s"))
}

#[test]
fn the_chart_is_drawn_again_in_its_place_and_stays_above_the_report() {
    let server = FaultServer::on_all_connections(Fault::None);
    let home = tempfile::tempdir().expect("a temporary directory");
    let args: Vec<&str> = ["load", "--live"].into_iter().chain(LONG.split_whitespace()).collect();
    let mut terminal = Terminal::client(server.address(), &args, home.path());
    let charts = |screen: &str| screen.matches("messages per second").count();
    // Too narrow for a chart.
    terminal.resize(80, 40);
    terminal.wait_for_screen("a number of connections", |screen| screen.contains("conn"));
    // The chart and the report fit.
    terminal.resize(80, 100);
    let mut ends = BTreeSet::new();
    while ends.len() < 2 {
        terminal.wait_for_screen("a later second", |screen| {
            end_label(screen).is_some_and(|end| !ends.contains(end))
        });
        let screen = terminal.screen();
        assert_eq!(charts(&screen), 1, "{terminal:?}");
        ends.extend(end_label(&screen).map(str::to_owned));
    }
    terminal.send(keys::CTRL_C);
    let (status, screen) = terminal.finish();
    assert!(matches!(status, 0 | 4), "{screen}");
    let end = screen.find("errors            0").expect("the report");
    assert!(screen.find("messages per second").is_some_and(|chart| chart < end), "{screen}");
    // Twelve connections were open.
    assert!(matches(&screen, "p99 .* errors 0   connections ") && charts(&screen) == 1, "{screen}");
}

#[test]
fn the_chart_of_a_load_without_a_terminal_is_not_drawn() {
    let server = EchoServer::start_quiet();
    let args = "--connections 2 --messages 10 --live --json -";
    let ended = Program::run_load(server.address(), args);
    assert!(ended.stdout.starts_with(b"{"), "{ended:?}");
    assert!(!ended.stderr.contains('\x1b') && !ended.stderr.contains("per second"), "{ended:?}");
    let ended = Program::run_load(server.address(), "--live --quiet");
    assert_eq!(ended.code(), 2, "{ended:?}");
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
        "--processes 2 --connections 2 --duration 2s --size 64 --timeout 500ms",
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

#[test]
fn a_closed_standard_output_causes_no_panic() {
    let server = EchoServer::start_quiet();
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
