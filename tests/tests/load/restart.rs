//! `echo-client load --expect-restart`: a restart of the server loses no byte.

use rustix::process::Signal;
use tests::{
    net::mock_server::own_address,
    programs::{EchoServer, Launch, Load},
};

/// Options of a load test that runs until it is stopped.
const LONG: &str = "--processes 3 --connections 4 --duration 10m --size 64 --pipeline 4";

/// The new server starts before the old one drains, or after it has drained. The load test opens every
/// connection again.
#[test]
fn a_restart_under_load_loses_nothing() {
    let host = own_address().to_string();
    for options in [&["--reuse-port"][..], &[]] {
        let args = [&["--host", &host], options].concat();
        let old = EchoServer::start(&args);
        let port = old.address().port();
        let load = Load::start(old.address(), &format!("{LONG} --expect-restart"));
        old.wait_for_log("Echoed to");
        let start = || Launch::new(&args).port(port).start();
        let (status, new) = if options.is_empty() {
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
    let host = own_address().to_string();
    let args = ["--host", &host];
    let old = EchoServer::start(&args);
    let port = old.address().port();
    let load = Load::start(old.address(), &format!("{LONG} --churn 5 --expect-restart"));
    old.wait_for_log("Echoed to");
    assert_eq!(old.terminate().0.code(), Some(0));
    let new = Launch::new(&args).port(port).start();
    let _ = new.log().wait_for_lines("New client connected", 24);
    load.program.signal(Signal::INT);
    let report = load.finish();
    report.expect_success();
    assert_eq!(report.json("/errors"), &serde_json::json!({}), "{report:?}");
    assert_eq!(report.json("/bytes_lost"), 0, "{report:?}");
}

/// Without a new server, the bytes to send again are lost.
#[test]
fn fails_if_the_server_does_not_return() {
    let server = EchoServer::start(&[]);
    let load = Load::start(server.address(), &format!("{LONG} --expect-restart --timeout 1s"));
    server.wait_for_log("Echoed to");
    assert_eq!(server.terminate().0.code(), Some(0));
    let report = load.finish();
    report.expect_failure();
    assert_eq!(report.json("/errors/connect"), 12, "{report:?}");
    assert!(report.json("/bytes_lost").as_u64() > Some(0), "{report:?}");
    let intervals = report.json("/series/intervals").as_array().expect("a list");
    assert_eq!(intervals.last().expect("an interval")["connections"], 0, "{intervals:?}");
}
