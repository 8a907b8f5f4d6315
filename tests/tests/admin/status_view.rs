//! `echo-server status` beside a real server.

use rustix::process::Signal;
use serde_json::Value;
use tests::programs::{EchoServer, Finished, Program};

use crate::client::{admin_address, start};

fn status(server: &EchoServer, args: &[&str]) -> Finished {
    let url = format!("http://{}", admin_address(server));
    Program::run_server(&[&["status", "--admin", &url], args].concat())
}

#[test]
fn the_view_has_the_figures_of_a_running_server() {
    let (server, _) = start(&["--workers", "2", "--max-connections", "9"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    let shown = status(&server, &[]);
    assert_eq!((shown.code(), &shown.stderr[..]), (0, ""), "{shown:?}");
    let text = shown.stdout_text();
    let address = server.address();
    for part in [
        ": healthy\nstate        running, live, ready; up 0s since ".to_owned(),
        "\nconnections  1 open of at most 9; 1 accepted, 0 refused, 0 probes;".to_owned(),
        format!("\n{address}  text         1         1 "),
        "\n    received 6 B, 1 message; sent 6 B, 1 message\n".to_owned(),
        "\n     1 ".to_owned(),
        "\n     2 ".to_owned(),
        format!("\n{} ", peer.address()),
    ] {
        assert!(text.contains(&part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn the_view_of_a_server_that_shuts_down_says_so() {
    let (server, _) = start(&["--drain-delay", "1h"]);
    server.signal(Signal::TERM);
    server.wait_for_log("The server shuts down: it serves for another 1h");
    let shown = status(&server, &["--json"]);
    assert_eq!(shown.code(), 1, "{shown:?}");
    assert!(shown.error_line().ends_with(": not ready: the server shuts down"), "{shown:?}");
    let object: Value = serde_json::from_slice(&shown.stdout).expect("it is JSON");
    assert_eq!(object["status"]["phase"], "leaving");
}
