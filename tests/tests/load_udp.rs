//! `echo-client load` over datagrams: what a network does to them is counted, each kind for itself.

use rustix::process::Signal;
use tests::{
    binaries::echo_client,
    datagrams::{Datagrams, Network},
    load::{Load, Report},
    program::{Finished, Program},
    standin,
};

/// 6 sockets, each of which sends 105 datagrams. So an order that changes has something behind it.
const RUN: &str = "--processes 2 --connections 3 --messages 105 --pipeline 2 --timeout 400ms";
const SENT: u64 = 6 * 105;
/// Every tenth.
const TENTHS: u64 = 6 * 10;

#[track_caller]
fn run(network: Network) -> Report {
    Report::at(&Datagrams::through(network).url(), RUN)
}

/// Expects these figures, by the names in the report, and that all others of datagrams are 0.
#[track_caller]
fn expect(report: &Report, figures: &[(&str, u64)]) {
    assert_eq!(report.json("/datagrams/sent"), SENT, "{report:?}");
    for name in ["lost", "late", "reordered", "duplicates", "corrupt", "strangers"] {
        let expected =
            figures.iter().find(|(one, _)| *one == name).map_or(0, |(_, figure)| *figure);
        let path = if name == "lost" { "/lost".to_owned() } else { format!("/datagrams/{name}") };
        assert_eq!(report.json(&path), expected, "{name}: {report:?}");
        // The table says the same.
        assert!(report.prints(&format!(r"^ *{name} +{expected}\b")), "{name}: {report:?}");
    }
}

fn client(args: &str) -> Finished {
    let args: Vec<&str> = args.split_whitespace().collect();
    Program::start(echo_client(), &args).finish()
}

#[test]
fn every_datagram_of_every_socket_is_counted_and_right() {
    let server = Datagrams::through(Network::Perfect);
    for more in ["", "--size 16", "--size 16-3000", "--rate 2000"] {
        let report = Report::at(&server.url(), &format!("{RUN} {more}"));
        report.expect_well();
        assert_eq!(report.messages(), SENT, "{report:?}");
        expect(&report, &[]);
    }
}

#[test]
fn the_longest_datagrams_come_back() {
    let server = Datagrams::through(Network::Perfect);
    let report = Report::at(&server.url(), "--connections 2 --messages 20 --size 65507");
    report.expect_well();
    assert_eq!(report.json("/bytes_checked"), 2 * 20 * 65_507);
}

#[test]
fn loss_is_counted_and_said_and_is_no_failure() {
    let report = run(Network::Swallows(10));
    assert!([0, 4].contains(&report.code()), "{report:?}");
    assert_eq!(report.messages(), SENT - TENTHS);
    expect(&report, &[("lost", TENTHS)]);
    assert!(report.prints(r"^(VALID|CLIENT-LIMITED): .*60 of 630 datagrams were lost \(9\.52 %\)"));
}

#[test]
fn loss_can_be_made_a_condition() {
    let server = Datagrams::through(Network::Swallows(10));
    for (condition, status) in [("lost<10%", 0), ("lost<9%", 3), ("lost<60", 3), ("sent=630", 0)] {
        let report = Report::at(&server.url(), &format!("{RUN} --assert {condition}"));
        assert!([status, if status == 0 { 4 } else { 3 }].contains(&report.code()), "{report:?}");
    }
}

/// An open loop sends what is due, whatever is lost.
#[test]
fn an_open_loop_loses_as_much() {
    let server = Datagrams::through(Network::Swallows(10));
    let report = Report::at(&server.url(), &format!("{RUN} --rate 3000"));
    assert_eq!(report.messages(), SENT - TENTHS);
    expect(&report, &[("lost", TENTHS)]);
}

#[test]
fn copies_are_counted() {
    let report = run(Network::Repeats(10));
    report.expect_well();
    assert_eq!(report.messages(), SENT);
    expect(&report, &[("duplicates", TENTHS)]);
}

#[test]
fn what_comes_behind_a_later_one_is_reordered() {
    let report = run(Network::HoldsBack(10));
    report.expect_well();
    assert_eq!(report.messages(), SENT);
    expect(&report, &[("reordered", TENTHS)]);
}

/// With one under way, the next is sent when the one that is held back has been given up.
#[test]
fn what_comes_when_it_has_been_given_up_is_late_and_not_lost() {
    let server = Datagrams::through(Network::HoldsBack(50));
    let report =
        Report::at(&server.url(), &format!("{RUN} --pipeline 1").replace("--pipeline 2 ", ""));
    report.expect_well();
    assert_eq!(report.messages(), SENT);
    expect(&report, &[("late", 12), ("reordered", 12)]);
    assert!(report.latency_ms("max") >= 400.0, "{report:?}");
}

#[test]
fn wrong_bytes_fail_the_run_and_are_located() {
    for (network, what) in [
        (Network::Damages(50), r"socket \d, datagram \d+, offset 63: one byte is damaged"),
        (Network::Cuts(50), r"socket \d, datagram \d+, offset 63: missing: the last 1 byte\b"),
    ] {
        let report = run(network);
        report.expect_failure();
        assert!(report.prints(what), "{report:?}");
        // Nor did the right bytes come.
        expect(&report, &[("corrupt", 12), ("lost", 12)]);
        assert_eq!(report.json("/errors/wrong-bytes"), 12);
    }
}

#[test]
fn what_is_nobodys_is_a_stranger() {
    let report = run(Network::Adds(10));
    report.expect_well();
    expect(&report, &[("strangers", TENTHS)]);
}

#[test]
fn a_server_that_leaves_fails_the_run() {
    let report = run(Network::Leaves(50));
    report.expect_failure();
    assert!(report.prints(r"\d unreachable"), "{report:?}");
}

#[test]
fn nobody_there_is_said_before_anything_is_started() {
    let nobody = format!("udp://{}", standin::nobody());
    let ended = client(&format!("load {nobody}"));
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""));
    let expected = format!(
        "Error: Could not connect to server at {nobody}\nMake sure the server is running.\n"
    );
    assert_eq!(ended.stderr, expected);
}

#[test]
fn a_server_that_says_nothing_is_not_loaded() {
    let server = Datagrams::through(Network::Swallows(1));
    let ended = client(&format!("load {} --timeout 300ms", server.url()));
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""));
    assert!(ended.error_line().ends_with("(no answer within 300ms)"), "{ended:?}");
}

/// What reaches this machine and finds no room in its sockets was not lost on the way.
#[test]
fn what_the_client_has_no_room_for_makes_it_the_limit() {
    let server = Datagrams::through(Network::Perfect);
    let args = "--connections 1 --size 60000 --rate 50 --duration 1s";
    let load = Load::at(&server.url(), args);
    // The first datagram is the parent's question, whether there is a server.
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
fn what_makes_no_sense_over_datagrams_is_refused_by_name() {
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
fn reports_of_several_machines_add_up() {
    let server = Datagrams::through(Network::Swallows(10));
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let file =
        |name: &str| directory.path().join(name).to_str().expect("its name is ours").to_owned();
    let (one, other, both) = (file("one"), file("other"), file("both"));
    for json in [&one, &other] {
        let ended = client(&format!("load {} {RUN} --quiet --json {json}", server.url()));
        assert!([0, 4].contains(&ended.code()), "{ended:?}");
    }
    let ended = client(&format!("load merge {one} {other} --json {both} --assert lost=120"));
    assert!([0, 4].contains(&ended.code()), "{ended:?}");
    let json = std::fs::read(both).expect("it was written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("a report is JSON");
    assert_eq!(json["datagrams"]["sent"], 2 * SENT);
    assert!(ended.stdout_text().contains("120 of 1,260 datagrams were lost"), "{ended:?}");
}
