//! Tests of a load whose connections are compared with the receipts of the server (`--receipt`).

use tests::{
    net::{Damage, Direction, lossy_proxy},
    programs::{EchoServer, Program, Report, TlsEchoServer},
};

const TEXT: &str = "tcp://127.0.0.1:0?receipt=on";
const LOAD: &str = "--receipt --processes 2 --connections 3 --messages 200 --size 32";

fn start(listen: &str) -> EchoServer {
    EchoServer::start_with(&["--listen", listen, "--log-messages", "off"])
}

/// Checks that each of this many connections was compared and is equal.
#[track_caller]
fn expect_equal(report: &Report, connections: u64) {
    report.expect_success();
    let receipts = report.json("/receipts");
    let expected = serde_json::json!({
        "compared": connections, "equal": connections, "missing": 0, "bytes_lost_to_server": 0,
        "bytes_added_to_server": 0, "bytes_unread_by_server": 0, "bytes_lost_back": 0, "bytes_added_back": 0,
    });
    assert_eq!(receipts, &expected, "{report:?}");
    assert!(report.prints(&format!("receipts +{connections} of {connections} equal, 0 missing")));
}

#[test]
fn every_connection_of_a_load_is_compared_over_every_transport() {
    let (text, http) = (start(TEXT), start("http://127.0.0.1:0?receipt=on"));
    expect_equal(&Report::run(text.address(), LOAD), 6);
    expect_equal(&Report::run(text.address(), &format!("{LOAD} --pipeline 20 --churn 50")), 24);
    expect_equal(&Report::at_url(&format!("ws://{}/", http.address()), LOAD), 6);
    expect_equal(
        &Report::at_url(&format!("ws://{}/", http.address()), &format!("{LOAD} --ws-text")),
        6,
    );
    let tls = TlsEchoServer::start("&receipt=on", &["--log-messages", "off"]);
    let args = format!("{LOAD} --tls-ca {}", tls.ca.file());
    expect_equal(&Report::at_url(&tls.url(), &args), 6);
}

#[test]
fn a_load_names_the_side_on_which_bytes_were_lost_and_fails() {
    let server = start(TEXT);
    let load = "--receipt --processes 1 --connections 2 --messages 200 --size 32 --timeout 2s";
    for (direction, lost, words) in [
        (Direction::ToServer, "/receipts/bytes_lost_to_server", "on the way to the server"),
        (Direction::Back, "/receipts/bytes_lost_back", "on the way back"),
    ] {
        let proxy = lossy_proxy(server.address(), direction, Damage::Lose(1_000, 10));
        let report = Report::run(proxy, load);
        report.expect_failure();
        assert_eq!(report.json("/receipts/compared"), 2, "{report:?}");
        assert_eq!(report.json("/receipts/equal"), 0, "{report:?}");
        assert_eq!(report.json(lost), 20, "{report:?}");
        let reason = report.json("/reason").as_str().unwrap();
        assert!(reason.contains(&format!("10 bytes were lost {words}")), "{reason}");
        let changed = lossy_proxy(server.address(), direction, Damage::Change(1_000));
        let report = Report::run(changed, load);
        report.expect_failure();
        let reason = report.json("/reason").as_str().unwrap();
        assert!(reason.contains(&format!("bytes were changed {words}")), "{reason}");
    }
}

#[test]
fn a_load_over_websocket_names_the_side_on_which_a_message_was_lost() {
    let server = start("http://127.0.0.1:0?receipt=on");
    let load =
        "--receipt --processes 1 --connections 1 --messages 20 --pipeline 4 --size 32 --timeout 2s";
    for (direction, lost) in [
        (Direction::ToServer, "/receipts/bytes_lost_to_server"),
        (Direction::Back, "/receipts/bytes_lost_back"),
    ] {
        let proxy = lossy_proxy(server.address(), direction, Damage::LoseMessage(5));
        let report = Report::at_url(&format!("ws://{proxy}/"), load);
        report.expect_failure();
        assert_eq!(report.json(lost), 32, "{report:?}");
        assert_eq!(report.json("/receipts/compared"), 1, "{report:?}");
    }
}

#[test]
fn a_load_fails_if_the_server_sends_no_receipt() {
    let server = EchoServer::start_quiet();
    let report = Report::run(server.address(), LOAD);
    report.expect_failure();
    assert_eq!(report.json("/receipts/missing"), 6, "{report:?}");
    assert_eq!(report.json("/errors/receipt"), 6, "{report:?}");
    let reason = report.json("/reason").as_str().unwrap();
    assert!(reason.contains("the listener needs the parameter receipt=on"), "{reason}");
}

#[test]
fn merged_reports_add_the_receipts() {
    let server = start(TEXT);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (one, two, all) = (file("one"), file("two"), file("all"));
    for report in [&one, &two] {
        let ended = Program::run_load(server.address(), &format!("{LOAD} --json {report}"));
        assert_eq!(ended.code(), 0, "{ended:?}");
    }
    let ended = Program::run_client(&["load", "merge", &one, &two, "--json", &all]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    let merged: serde_json::Value =
        serde_json::from_slice(&std::fs::read(all).unwrap()).expect("the report is JSON");
    assert_eq!(merged["receipts"]["equal"], 12);
    assert!(ended.stdout_text().contains("12 of 12 equal"), "{ended:?}");
}

#[test]
fn a_receipt_without_a_place_in_the_load_is_refused() {
    for (args, reason) in [
        (&["load", "--receipt", "--expect-restart"][..], "cannot be used with '--expect-restart'"),
        (&["load", "--receipt", "--room"], "cannot be used with '--room'"),
        (&["load", "--receipt", "udp://127.0.0.1:7"], "cannot be used over UDP"),
        (&["--receipt", "load"], "'--receipt' cannot be used with 'load'"),
        (&["--receipt", "ping"], "'--receipt' cannot be used with 'ping'"),
    ] {
        let ended = Program::run_client(args);
        assert!(ended.code() == 2 && ended.stderr.contains(reason), "{ended:?}");
    }
}
