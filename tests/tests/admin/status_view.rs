//! `echo-server status` beside a real server.

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    deployment::find,
    programs::{EchoServer, Finished, Program},
    wait::wait_until,
};

use crate::client::{admin_address, get, start};

fn status(server: &EchoServer, args: &[&str]) -> Finished {
    let url = format!("http://{}", admin_address(server));
    Program::run_server(&[&["status", "--admin", &url], args].concat())
}

#[test]
fn the_view_has_the_figures_of_a_running_server() {
    let (server, admin) = start(&["--workers", "2", "--max-connections", "9"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    wait_until("the echo is counted", || {
        get(admin, "/status").json()["listeners"][0]["sent"]["messages"] == 1
    });
    let shown = status(&server, &[]);
    assert_eq!((shown.code(), &shown.stderr[..]), (0, ""), "{shown:?}");
    let text = shown.stdout_text();
    for pattern in [
        r"^echo-server \S+ at http://\S+: healthy$",
        r"^state +running, live, ready; up \d+s since \d{4}-",
        r"^connections +1 open of at most 9; 1 accepted, 0 refused, 0 probes; 0 in the dispatch queue$",
        &format!("^{} +text +1 +1 ", server.address()),
        "^    received 6 B, 1 message; sent 6 B, 1 message$",
        r"^ +1 +\d +\d+ % +\d",
        r"^ +2 +\d +\d+ % +\d",
        &format!(r"^{} +[12] +6 B +6 B +0 B +\d+s +\d+s$", peer.address()),
    ] {
        let _ = find(text, &format!("({pattern})"));
    }
}

#[test]
fn the_view_of_a_server_that_shuts_down_shows_the_shutdown() {
    let (server, _) = start(&["--drain-delay", "1h"]);
    server.signal(Signal::TERM);
    server.wait_for_log("Shutting down: the server serves for another 1h");
    let shown = status(&server, &["--json"]);
    assert_eq!(shown.code(), 1, "{shown:?}");
    assert!(shown.error_line().ends_with(": not ready: the server shuts down"), "{shown:?}");
    let object: Value = serde_json::from_slice(&shown.stdout).expect("it is JSON");
    assert_eq!(object["status"]["phase"], "leaving");
}
