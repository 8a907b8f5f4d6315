//! `echo-client load`: every byte checked, sizes, rates, and the command line.

use tests::{
    net::mock_server,
    programs::{EchoServer, Program, Report, binaries::echo_client},
};

#[test]
fn counts_and_checks_every_message() {
    let server = EchoServer::start_quiet();
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
    let server = EchoServer::start_quiet();
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
    let server = EchoServer::start_quiet();
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
    let server = EchoServer::start_quiet();
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
    let server = EchoServer::start_quiet();
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
    let server = EchoServer::start_quiet();
    let run = "--processes 1 --connections 4 --size 64 --duration 300ms --rate 3000000";
    let report = Report::run(server.address(), run);
    assert_eq!((report.code(), report.verdict()), (4, "CLIENT-LIMITED"), "{report:?}");
    assert!(report.messages() > 0, "{report:?}");
    report.expect_success();
}

/// Time without a scheduled message counts too.
#[test]
fn measures_a_low_rate_over_the_whole_duration() {
    let server = EchoServer::start_quiet();
    let run = "--processes 1 --connections 4 --size 64 --duration 500ms --rate 4";
    let report = Report::run(server.address(), run);
    assert_eq!(report.messages(), 2, "{report:?}");
    let rate = report.json("/rate").as_f64().expect("a number");
    assert!(rate <= 4.0, "{rate} messages a second instead of at most 4: {report:?}");
    report.expect_success();
}

#[test]
fn churn_reconnects_and_loses_nothing() {
    let server = EchoServer::start_quiet();
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
fn reports_a_usage_error_in_one_line_and_exits_with_2() {
    let server = EchoServer::start_quiet();
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
        let ended = Program::run_load(server.address(), args);
        assert_eq!(ended.code(), 2, "{args}: {ended:?}");
        assert_eq!(ended.stdout_text(), "", "{args}");
        let _ = ended.error_line();
    }
}

#[test]
fn reports_a_failed_connection_once_and_exits_with_1() {
    let closed = mock_server::unused_address();
    let ended = Program::run_load(closed, "--processes 3 --connections 2 --messages 10");
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert_eq!(
        ended.stderr,
        format!(
            "Error: Could not connect to server at {closed}\nMake sure the server is running.\n"
        )
    );
}
