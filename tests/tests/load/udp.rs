//! Tests of `echo-client load` over UDP: the client counts each kind of network fault separately.

use rustix::process::Signal;
use tests::{
    net::{UdpFault, UdpFaultServer, mock_server},
    programs::{EchoServer, Finished, Load, Program, Report, binaries::echo_client},
};

/// Options of a load test with 6 sockets, each of which sends 105 datagrams. The last five follow the last
/// fault, so that a reordered datagram has successors.
const RUN: &str = "--processes 2 --connections 3 --messages 105 --pipeline 2 --timeout 2s";
const SENT: u64 = 6 * 105;
/// Number of faults that affect every tenth datagram.
const TENTHS: u64 = 6 * 10;
/// Number of those that affect every fiftieth. A loss takes a timeout, which is long for the sake of a busy machine.
const FIFTIETHS: u64 = 6 * 2;

/// The same with batches of datagrams, of which the last one is not full.
const BATCHES: &str = "--processes 2 --connections 3 --messages 105 --pipeline 50 --timeout 2s";

#[track_caller]
fn run(network: UdpFault) -> Report {
    Report::at_url(&UdpFaultServer::start(network).url(), RUN)
}

/// Expects these figures, by their names in the report, and 0 for all other datagram figures.
#[track_caller]
fn expect(report: &Report, figures: &[(&str, u64)]) {
    assert_eq!(report.json("/datagrams/sent"), SENT, "{report:?}");
    for name in ["lost", "late", "reordered", "duplicates", "corrupt", "unrecognized"] {
        let expected =
            figures.iter().find(|(one, _)| *one == name).map_or(0, |(_, figure)| *figure);
        let path = if name == "lost" { "/lost".to_owned() } else { format!("/datagrams/{name}") };
        assert_eq!(report.json(&path), expected, "{name}: {report:?}");
        // The table contains the same figure.
        assert!(report.prints(&format!(r"^ *{name} +{expected}\b")), "{name}: {report:?}");
    }
}

fn client(args: &str) -> Finished {
    let args: Vec<&str> = args.split_whitespace().collect();
    Program::start(echo_client(), &args).finish()
}

#[test]
fn counts_and_checks_every_datagram() {
    let server = UdpFaultServer::start(UdpFault::None);
    for more in ["", "--size 16", "--size 16-3000", "--rate 2000"] {
        let report = Report::at_url(&server.url(), &format!("{RUN} {more}"));
        report.expect_success();
        assert_eq!(report.messages(), SENT, "{report:?}");
        expect(&report, &[]);
    }
}

#[test]
fn counts_and_checks_every_datagram_of_a_batch() {
    let server = UdpFaultServer::start(UdpFault::None);
    for more in ["", "--size 16", "--size 16-3000", "--rate 100000"] {
        let report = Report::at_url(&server.url(), &format!("{BATCHES} {more}"));
        assert!([0, 4].contains(&report.code()), "{report:?}");
        assert_eq!(report.messages(), SENT, "{report:?}");
        expect(&report, &[]);
    }
}

/// Each fault is in the middle of batches, and has the same count as without them.
#[test]
fn a_batch_hides_no_fault() {
    let twelve = |name| (name, 12);
    for (network, figures) in [
        (UdpFault::Drop(50), vec![twelve("lost")]),
        (UdpFault::Duplicate(50), vec![twelve("duplicates")]),
        (UdpFault::Reorder(50), vec![twelve("reordered")]),
        (UdpFault::Corrupt(50), vec![twelve("corrupt"), twelve("lost")]),
        (UdpFault::Truncate(50), vec![twelve("corrupt"), twelve("lost")]),
        (UdpFault::Inject(50), vec![twelve("unrecognized")]),
    ] {
        let report = Report::at_url(&UdpFaultServer::start(network).url(), BATCHES);
        let lost = figures.iter().find(|(name, _)| *name == "lost").map_or(0, |(_, lost)| *lost);
        assert_eq!(report.messages(), SENT - lost, "{network:?}: {report:?}");
        expect(&report, &figures);
    }
}

#[test]
fn echoes_the_longest_datagrams() {
    let server = UdpFaultServer::start(UdpFault::None);
    for more in ["--connections 2", "--connections 1 --pipeline 3"] {
        let args = format!("{more} --messages 20 --size 65507");
        let report = Report::at_url(&server.url(), &args);
        report.expect_success();
        assert_eq!(report.json("/bytes_checked"), report.messages() * 65_507);
        assert!(report.messages() >= 20, "{report:?}");
    }
}

#[test]
fn sends_batches_over_ipv6() {
    let server = EchoServer::start_with(&["--listen", "udp://[::1]:0?rate=off"]);
    let report = Report::at_url(&server.addresses()[0], &format!("{BATCHES} --size 16-3000"));
    assert_eq!(report.messages(), SENT, "{report:?}");
    expect(&report, &[]);
}

#[test]
fn reports_lost_datagrams_without_failing() {
    let report = run(UdpFault::Drop(50));
    assert!([0, 4].contains(&report.code()), "{report:?}");
    assert_eq!(report.messages(), SENT - FIFTIETHS);
    expect(&report, &[("lost", FIFTIETHS)]);
    assert!(report.prints(r"^(VALID|CLIENT-LIMITED): .*12 of 630 datagrams were lost \(1\.90 %\)"));
}

#[test]
fn an_assertion_can_limit_the_loss() {
    let server = UdpFaultServer::start(UdpFault::Drop(50));
    for (condition, status) in [("lost<2%", 0), ("lost<1.9%", 3), ("lost<12", 3), ("sent=630", 0)] {
        let report = Report::at_url(&server.url(), &format!("{RUN} --assert {condition}"));
        assert!([status, if status == 0 { 4 } else { 3 }].contains(&report.code()), "{report:?}");
    }
}

/// An open loop keeps its schedule despite lost datagrams.
#[test]
fn an_open_loop_counts_the_same_loss() {
    let server = UdpFaultServer::start(UdpFault::Drop(50));
    let report = Report::at_url(&server.url(), &format!("{RUN} --rate 3000"));
    assert_eq!(report.messages(), SENT - FIFTIETHS);
    expect(&report, &[("lost", FIFTIETHS)]);
}

#[test]
fn counts_duplicates() {
    let report = run(UdpFault::Duplicate(10));
    report.expect_success();
    assert_eq!(report.messages(), SENT);
    expect(&report, &[("duplicates", TENTHS)]);
}

#[test]
fn counts_a_datagram_that_arrives_after_a_later_one_as_reordered() {
    let report = run(UdpFault::Reorder(10));
    report.expect_success();
    assert_eq!(report.messages(), SENT);
    expect(&report, &[("reordered", TENTHS)]);
}

/// With a pipeline of one, the client sends the next datagram after the timeout of the delayed one.
#[test]
fn counts_a_datagram_that_arrives_after_its_timeout_as_late() {
    let server = UdpFaultServer::start(UdpFault::Reorder(50));
    let report =
        Report::at_url(&server.url(), &format!("{RUN} --pipeline 1").replace("--pipeline 2 ", ""));
    report.expect_success();
    assert_eq!(report.messages(), SENT);
    expect(&report, &[("late", 12), ("reordered", 12)]);
    assert!(report.latency_ms("max") >= 2000.0, "{report:?}");
}

#[test]
fn locates_wrong_bytes_and_fails() {
    for (network, message) in [
        (UdpFault::Corrupt(50), r"socket \d, datagram \d+, offset 63: one byte is damaged"),
        (UdpFault::Truncate(50), r"socket \d, datagram \d+, offset 63: missing: the last 1 byte\b"),
    ] {
        let report = run(network);
        report.expect_failure();
        assert!(report.prints(message), "{report:?}");
        // A corrupt datagram is also lost: its correct echo never arrives.
        expect(&report, &[("corrupt", 12), ("lost", 12)]);
        assert_eq!(report.json("/errors/wrong-bytes"), 12);
    }
}

#[test]
fn counts_foreign_datagrams_as_unrecognized() {
    let report = run(UdpFault::Inject(10));
    report.expect_success();
    expect(&report, &[("unrecognized", TENTHS)]);
}

#[test]
fn fails_if_the_server_closes_its_socket() {
    let report = run(UdpFault::Stop(50));
    report.expect_failure();
    assert!(report.prints(r"\d unreachable"), "{report:?}");
}

#[test]
fn reports_a_missing_server_before_the_load_starts() {
    let closed = format!("udp://{}", mock_server::unused_address());
    let ended = client(&format!("load {closed}"));
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""));
    let expected = format!(
        "Error: Could not connect to server at {closed}\nMake sure the server is running.\n"
    );
    assert_eq!(ended.stderr, expected);
}

#[test]
fn does_not_start_the_load_if_the_server_does_not_reply() {
    let server = UdpFaultServer::start(UdpFault::Drop(1));
    let ended = client(&format!("load {} --timeout 300ms", server.url()));
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""));
    assert!(ended.error_line().ends_with("(no answer within 300ms)"), "{ended:?}");
}

/// The network did not lose a datagram that the full receive buffer of the client dropped.
#[test]
fn full_receive_buffers_make_the_result_client_limited() {
    let server = UdpFaultServer::start(UdpFault::None);
    let args = "--connections 1 --size 60000 --rate 50 --duration 1s";
    let load = Load::at_url(&server.url(), args);
    // The first datagram is the probe with which the parent process checks that the server replies.
    server.flood(0, || {});
    server.flood(1000, || {
        load.processes().iter().for_each(|process| process.signal(Signal::STOP));
    });
    load.processes().iter().for_each(|process| process.signal(Signal::CONT));
    let report = load.finish();
    assert_eq!((report.code(), report.verdict()), (4, "CLIENT-LIMITED"), "{report:?}");
    let dropped = report.json("/datagrams/dropped_by_client").as_u64();
    assert!(dropped > Some(0), "{report:?}");
    assert!(report.prints(r"^CLIENT-LIMITED: .*receive buffers"), "{report:?}");
}

#[test]
fn refuses_options_that_udp_does_not_support_by_name() {
    for (args, named) in [
        ("load --udp --churn 5", "--churn"),
        ("load udp://127.0.0.1:7 --expect-restart", "--expect-restart"),
        ("load --udp --size 65508", "65507"),
        ("load --udp --size 8-64", "16"),
        ("load --udp tcp://127.0.0.1:7", "--udp"),
        ("load unix:///run/echo.sock --udp", "--udp"),
    ] {
        let ended = client(args);
        assert_eq!((ended.code(), ended.stdout_text()), (2, ""), "{args}: {ended:?}");
        assert!(ended.error_line().contains(named), "{args}: {ended:?}");
    }
}

#[test]
fn merge_adds_up_the_reports_of_several_hosts() {
    let server = UdpFaultServer::start(UdpFault::Drop(50));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file =
        |name: &str| directory.path().join(name).to_str().expect("the path is UTF-8").to_owned();
    let (one, other, both) = (file("one"), file("other"), file("both"));
    for json in [&one, &other] {
        let ended = client(&format!("load {} {RUN} --quiet --json {json}", server.url()));
        assert!([0, 4].contains(&ended.code()), "{ended:?}");
    }
    let ended = client(&format!("load merge {one} {other} --json {both} --assert lost=24"));
    assert!([0, 4].contains(&ended.code()), "{ended:?}");
    let json = std::fs::read(both).expect("the report exists");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("a report is JSON");
    assert_eq!(json["datagrams"]["sent"], 2 * SENT);
    assert!(ended.stdout_text().contains("24 of 1,260 datagrams were lost"), "{ended:?}");
}
