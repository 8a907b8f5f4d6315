//! Regression tests of the client: each doc comment describes the defect that the test has found or would find again.

use std::{
    ffi::OsStr,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    os::{fd::OwnedFd, unix::fs::symlink, unix::net::UnixStream},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tests::{
    programs::{EchoServer, Finished, Program, Report, Terminal, binaries, keys},
    wait::wait_until,
};

/// Runs a program in a directory.
fn run_in(directory: &Path, args: &[&str]) -> Finished {
    let mut command = Command::new(binaries::echo_client());
    command.args(args).current_dir(directory);
    Program::spawn(command).finish()
}

/// Returns a directory with the report `a.json` of a load, and its address.
fn with_report(server: &EchoServer) -> TempDir {
    let directory = tempdir().expect("a temporary directory");
    let address = server.address().to_string();
    let args = ["load", &address, "--messages", "5", "--json", "a.json", "--histogram", "a.hlog"];
    let ended = run_in(directory.path(), &args);
    assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    directory
}

/// Returns `true` if a process waits, or has ended.
fn is_waiting(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    state.starts_with(['S', 'Z'])
}

/// Runs a program whose standard output is in non-blocking mode and full; returns its exit status and output.
fn run_with_full_output(program: impl AsRef<OsStr>, args: &[&str]) -> (Option<i32>, String) {
    let (mut reader, mut output) = UnixStream::pair().expect("descriptors are left");
    output.set_nonblocking(true).expect("the socket is open");
    let mut filled = 0;
    loop {
        match output.write(&[b'.'; 1024]) {
            Ok(count) => filled += count,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(OwnedFd::from(output));
    let mut child = command.spawn().expect("the program is built and can be run");
    // The program has the only descriptor now.
    drop(command);
    wait_until("the program waits", || is_waiting(child.id()));
    let mut all = String::new();
    reader.read_to_string(&mut all).expect("the output is text");
    let status = child.wait().expect("a child can be waited for");
    (status.code(), all.split_off(filled))
}

/// Standard output in non-blocking mode, as a Node.js parent leaves it: what did not fit at once was lost.
#[test]
fn a_full_output_in_non_blocking_mode_loses_nothing() {
    let server = EchoServer::start_quiet();
    let address = server.address().to_string();
    let (client, server) = (binaries::echo_client(), binaries::echo_server());
    for (program, args, end) in [
        (&client, &["completions", "bash"][..], "echo-client\nfi\n"),
        (&client, &["--help"], "2  invalid command line\n"),
        (&client, &[&address, "-m", "hello"], "hello\n"),
        (&client, &["ping", &address, "--count", "1"], " ms\n"),
        (&client, &["load", &address, "--messages", "1", "--quiet"], "returned\n"),
        (&server, &["config", "default"], "\n"),
        (&server, &["completions", "bash"], "echo-server\nfi\n"),
    ] {
        let (code, output) = run_with_full_output(program, args);
        assert!(matches!(code, Some(0 | 4)), "{args:?}: {code:?} {output}");
        assert!(output.ends_with(end) || args[0] == "load", "{args:?}: {output}");
    }
}

#[test]
fn a_filter_in_non_blocking_mode_loses_nothing() {
    let server = EchoServer::start_quiet();
    let text = "a line of the input\n".repeat(200_000);
    let [(mut feeder, input), (output, mut reader)] =
        [(); 2].map(|()| UnixStream::pair().expect("descriptors are left"));
    for end in [&input, &output] {
        end.set_nonblocking(true).expect("the socket is open");
    }
    let mut command = Command::new(binaries::echo_client());
    command.arg(server.address().to_string());
    command.stdin(OwnedFd::from(input)).stdout(OwnedFd::from(output));
    let mut child = command.spawn().expect("the program is built and can be run");
    drop(command);
    let sent = text.clone();
    let feeding = std::thread::spawn(move || feeder.write_all(sent.as_bytes()));
    let mut all = String::new();
    reader.read_to_string(&mut all).expect("the output is text");
    assert!(all == text, "{} of {} bytes", all.len(), text.len());
    feeding.join().expect("it does not panic").expect("the filter reads everything");
    assert_eq!(child.wait().expect("a child can be waited for").code(), Some(0));
}

/// A write beyond the limit on file sizes raises SIGXFSZ, which ended the client without a message.
#[test]
fn a_limit_on_file_sizes_is_an_error_with_words() {
    let server = EchoServer::start_quiet();
    let address = server.address().to_string();
    let directory = tempdir().expect("a temporary directory");
    let load = ["load", &address, "--messages", "5", "--json", "a.json", "--histogram", "a.hlog"];
    let lines = "line\n".repeat(20_000);
    for (output, args, input, named) in [
        ("> out", &[&address[..]][..], &lines[..], "file too large"),
        ("", &load, "", "Could not write a.json: file too large"),
    ] {
        let mut command = Command::new("sh");
        // Blocks of 512 bytes.
        let script = format!("ulimit -f 1; exec \"$@\" {output}");
        command.args(["-c", &script, "sh"]).arg(binaries::echo_client());
        command.args(args).current_dir(directory.path());
        let mut client = Program::spawn(command);
        client.feed_all(input.into());
        let ended = client.finish();
        assert_eq!(ended.code(), 1, "{args:?}: {ended:?}");
        assert!(ended.error_line().contains(named), "{ended:?}");
    }
}

/// Only equal paths were compared, so one output overwrote the other, or the report that was merged.
#[test]
fn outputs_and_inputs_that_are_one_file_are_refused_and_untouched() {
    let server = EchoServer::start_quiet();
    let directory = with_report(&server);
    let at = |name: &str| directory.path().join(name);
    fs::hard_link(at("a.json"), at("hard")).expect("links are possible");
    symlink("a.json", at("soft")).expect("links are possible");
    symlink("new", at("dangling")).expect("links are possible");
    let before = fs::read(at("a.json")).expect("the report is there");
    for (args, named) in [
        (&["load", "--json", "hard", "--histogram", "./a.json"][..], "name the same file"),
        (&["load", "--json", "new", "--histogram", "dangling"], "name the same file"),
        (&["load", "--json", "-", "--histogram", "/dev/stdout"], "name the same file"),
        (&["load", "merge", "a.json", "a.hlog", "--json", "soft"], "overwrite the input 'a.json'"),
        (&["load", "merge", "a.json", "hard"], "'hard' is given twice"),
    ] {
        let ended = run_in(directory.path(), args);
        assert_eq!((ended.code(), ended.stdout_text()), (2, ""), "{args:?}: {ended:?}");
        assert!(ended.error_line().contains(named), "{ended:?}");
    }
    assert!(!at("new").exists());
    assert!(fs::read(at("a.json")).expect("the report is there") == before);
}

/// `-` made a file of that name.
#[test]
fn a_hyphen_is_standard_output_and_standard_input() {
    let server = EchoServer::start_quiet();
    let directory = with_report(&server);
    let address = server.address().to_string();
    let ended = run_in(directory.path(), &["load", &address, "--messages", "5", "--json", "-"]);
    assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    let report: Value = serde_json::from_slice(&ended.stdout).expect("only the report");
    assert_eq!(report["messages"], 50);
    assert!(ended.stderr.contains("latency"), "{ended:?}");
    let ended =
        run_in(directory.path(), &["load", "merge", "a.json", "--histogram", "/dev/stdout"]);
    assert!(ended.stdout_text().starts_with("#[echo-client load"), "{ended:?}");

    let mut command = Command::new(binaries::echo_client());
    command.args(["load", "merge", "-", "--json", "-"]).current_dir(directory.path());
    let mut merge = Program::spawn(command);
    merge.feed(&fs::read(directory.path().join("a.json")).expect("the report is there"));
    let ended = merge.finish();
    let merged: Value = serde_json::from_slice(&ended.stdout).expect("only the report");
    assert_eq!(merged["parts"][0]["file"], "standard input", "{ended:?}");
    assert!(!directory.path().join("-").exists());
}

/// A report of another machine, or its name, could control the terminal of the one who merges it.
#[test]
fn text_of_a_foreign_report_is_escaped() {
    let server = EchoServer::start_quiet();
    let directory = with_report(&server);
    let path = directory.path().join("a.json");
    let text = fs::read_to_string(&path).expect("the report is there");
    let mut report: Value = serde_json::from_str(&text).expect("a report is JSON");
    report["verdict"] = "FAILED".into();
    report["reason"] = "\u{1b}]0;title\u{7}\nVALID: every byte returned".into();
    report["failed_processes"] = Value::from(vec!["\u{1b}[2J"]);
    fs::write(&path, report.to_string()).expect("the file can be written");
    let wrong = "wrong\u{1b}[2J.json";
    fs::write(directory.path().join(wrong), "{\"version\": \"\u{1b}[31m\"}")
        .expect("the file can be written");
    for args in
        [&["load", "merge", "a.json"][..], &["load", "merge", wrong], &["load", "merge", "\u{9b}"]]
    {
        let ended = run_in(directory.path(), args);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let output = format!("{}{}", ended.stdout_text(), ended.stderr);
        assert!(!output.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{output:?}");
        assert!(output.contains(r"\x1b") || output.contains(r"\u{9b}"), "{output:?}");
        assert!(!output.lines().any(|line| line.starts_with("VALID")), "{output}");
    }
}

/// `HdrHistogram_c` refused a log without the version of its format.
#[test]
fn a_histogram_log_begins_with_the_header_of_the_format() {
    let server = EchoServer::start_quiet();
    let directory = with_report(&server);
    let log = fs::read_to_string(directory.path().join("a.hlog")).expect("the log is there");
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[1], "#[Histogram log format version 1.3]");
    assert!(lines[3].starts_with("#[StartTime: "), "{log}");
    assert_eq!(
        lines[4],
        r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#
    );
}

/// The next step of a search started the new program, or none.
#[test]
fn a_program_that_is_replaced_during_a_search_continues() {
    let server = EchoServer::start_quiet();
    let directory = tempdir().expect("a temporary directory");
    let program = directory.path().join("echo-client");
    fs::copy(binaries::echo_client(), &program).expect("the program is built");
    let mut command = Command::new(&program);
    let args = ["--find-rate", "p99<1ns", "--duration", "20ms", "--warmup", "0s", "--quiet"];
    command.args(["load", &server.address().to_string(), "--connections", "1"]).args(args);
    let search = Program::spawn(command);
    server.wait_for_log("New client connected");
    fs::remove_file(&program).expect("the program can be replaced");
    let ended = search.finish();
    assert!(matches!(ended.code(), 3 | 4), "{ended:?}");
    assert_eq!(ended.stderr, "", "{ended:?}");
}

/// "49 of 2 cores", because the CPU time was divided by the time until the last message.
#[test]
fn a_run_that_is_too_short_to_judge_is_not_client_limited() {
    let server = EchoServer::start_quiet();
    for run in ["--messages 1 --connections 1", "--duration 1ms --processes 3", "--messages 20"] {
        let report = Report::run(server.address(), run);
        report.expect_success();
        let seconds = report.json("/seconds").as_f64().expect("a number");
        let cores = report.json("/client_cpu/cores").as_f64().expect("a number");
        let machine = report.json("/client_cpu/machine_cores").as_f64().expect("a number");
        assert!(cores <= machine, "{report:?}");
        if seconds < 0.01 {
            assert_eq!((report.code(), report.verdict()), (0, "UNKNOWN"), "{report:?}");
            assert!(report.prints("too short"), "{report:?}");
        }
    }
}

/// The client stored the time of every message that was due, 2.8 GB, and did not end in time.
#[test]
fn a_rate_that_no_client_can_reach_has_bounded_memory_and_is_client_limited() {
    let server = EchoServer::start_with(&[
        "--listen",
        "tcp://127.0.0.1:0",
        "--listen",
        "udp://127.0.0.1:0?rate=off",
        "--log-messages",
        "off",
    ]);
    let tcp = server.address().to_string();
    let udp = server.addresses()[1].clone();
    for (address, more) in [(&tcp, "--warmup 0s"), (&tcp, "--warmup 100ms"), (&udp, "--warmup 0s")]
    {
        let mut command = Command::new("sh");
        // Address space in KiB.
        command.args(["-c", "ulimit -v 600000; exec \"$@\"", "sh"]).arg(binaries::echo_client());
        command.args(["load", address, "--rate", "1e9", "--duration", "300ms", "--quiet"]);
        command.args(["--timeout", "1s", "--json", "-"]).args(more.split(' '));
        let ended = Program::spawn(command).finish();
        assert_eq!(ended.code(), 4, "{address} {more}: {ended:?}");
        let report: Value = serde_json::from_slice(&ended.stdout).expect("a report");
        assert_eq!(report["verdict"], "CLIENT-LIMITED", "{ended:?}");
        assert!(report["unsent"].as_u64() > Some(0), "{report:#}");
    }
}

/// The warm-up used the messages up, and the load failed for lack of a message.
#[test]
fn messages_count_after_the_warm_up() {
    let server = EchoServer::start_quiet();
    for more in ["", "--rate 1000", "--churn 1"] {
        let run = format!("--warmup 100ms --messages 2 --connections 3 {more}");
        let report = Report::run(server.address(), &run);
        report.expect_success();
        assert_eq!(report.messages(), 6, "{report:?}");
    }
}

/// All messages that were due in the warm-up were sent first, which took as long as the client needed.
#[test]
fn what_is_unsent_at_the_end_of_the_warm_up_is_dropped() {
    let listeners = ["--listen", "tcp://127.0.0.1:0", "--listen", "udp://127.0.0.1:0?rate=off"];
    let server = EchoServer::start_with(&[&listeners[..], &["--log-messages", "off"]].concat());
    for url in [format!("tcp://{}", server.address()), server.addresses()[1].clone()] {
        let load = "--messages 2 --connections 1 --rate 1e9 --warmup 30ms --timeout 2s";
        let report = Report::at_url(&url, load);
        let number = |key| report.json(key).as_u64().expect("a number");
        // Datagrams may be lost.
        let sent_after_warmup = number("/messages") + number("/lost");
        assert_eq!((sent_after_warmup, number("/unsent")), (2, 0), "{report:?}");
        // 30,000,000 messages of 64 bytes were due.
        assert!(number("/bytes_sent") < 30_000_000 * 64, "{report:?}");
    }
}

/// A byte that is not UTF-8, such as an é of a Latin-1 terminal, ended the session.
#[test]
fn a_byte_that_is_not_utf_8_does_not_end_the_session() {
    let server = EchoServer::start_quiet();
    let home = tempdir().expect("a temporary directory");
    let mut terminal = Terminal::client(server.address(), &[], home.path());
    terminal.wait_for_prompt("Enter message:");
    terminal.send("caf");
    terminal.wait_for_prompt("Enter message: caf");
    terminal.send(b"\xff");
    terminal.wait_for("Input that is not UTF-8 is left out");
    terminal.wait_for_prompt("Enter message: caf");
    terminal.enter("e");
    terminal.wait_for("Server echo: cafe");
    terminal.wait_for_prompt("Enter message:");
    terminal.send(keys::CTRL_D);
    assert_eq!(terminal.finish().0, 0);
}

/// People who come from `nc` and `telnet` type the host and the port.
#[test]
fn the_server_is_named_as_for_nc_and_telnet() {
    let server = EchoServer::start_with(&["--listen", "tcp://[::1]:0"]);
    let address = server.address();
    let (port, bare) = (address.port().to_string(), address.ip().to_string());
    for named in [&[&address.to_string()[..]][..], &[&bare, &port]] {
        for args in [&["-m", "hello"][..], &["ping", "--count", "1"], &["load", "--messages", "1"]]
        {
            for args in [[named, args].concat(), [args, named].concat()] {
                let ended = Program::run_client(&args);
                assert!(matches!(ended.code(), 0 | 4), "{args:?}: {ended:?}");
            }
        }
        let mut filter = Program::start(binaries::echo_client(), named);
        filter.feed(b"hello\n");
        assert_eq!(filter.finish().stdout_text(), "hello\n");
    }
    let help = Program::run_client(&["load", "merge", "--help"]);
    assert!(!help.stdout_text().contains("--host"), "{help:?}");
}
