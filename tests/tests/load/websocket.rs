//! Tests of `echo-client load` over WebSocket: every byte and every boundary is checked, and handshakes are counted.

use tests::{
    net::{WebSocketFault, WebSocketServer},
    programs::{EchoServer, Program, Report},
};

fn load(fault: WebSocketFault, args: &str) -> Report {
    Report::at_url(&WebSocketServer::start(fault).url(), args)
}

#[test]
fn every_byte_and_boundary_of_a_load_is_checked_and_every_close_is_counted() {
    let args = ["--listen", "http://127.0.0.1:0", "--log-messages", "off"];
    let server = EchoServer::start_with(&args);
    let url = server.addresses()[0].replacen("http", "ws", 1);
    for args in [
        "--processes 2 --connections 3 --messages 50 --size 1-300 --pipeline 4",
        "--connections 2 --messages 3 --size 65530-200000 --pipeline 2",
        "--connections 3 --messages 20 --rate 2000",
        "--connections 2 --messages 20 --churn 4 --assert ws-handshake.max<60m --assert unclosed=0",
    ] {
        let report = Report::at_url(&url, args);
        report.expect_success();
        assert_eq!(report.json("/bytes_sent"), report.json("/bytes_checked"), "{report:?}");
        assert_eq!(report.json("/websocket/closes"), report.json("/connects"), "{report:?}");
        let handshakes = report.json("/websocket/handshake/count");
        assert_eq!(handshakes, report.json("/connects"), "{report:?}");
    }
}

#[test]
fn fragments_and_pings_are_no_boundaries() {
    let report = load(WebSocketFault::PingedFragments, "--connections 2 --messages 10 --size 1-40");
    report.expect_success();
}

#[test]
fn a_fault_has_its_own_kind_of_error() {
    for (fault, args, errors, text) in [
        (WebSocketFault::WrongByte, "", "/errors/wrong-bytes", "Wrong bytes: "),
        (WebSocketFault::Split, "", "/errors/message-boundary", "Wrong boundary: .* split a"),
        (
            WebSocketFault::Joined,
            "--pipeline 2",
            "/errors/message-boundary",
            "Wrong boundary: .* joined messages",
        ),
        (WebSocketFault::Longer, "", "/errors/message-boundary", "Wrong boundary: .* added bytes"),
        (
            WebSocketFault::OtherType,
            "",
            "/errors/message-type",
            "Wrong type: .* binary message as text",
        ),
        (WebSocketFault::Masked, "", "/errors/websocket", "a frame is masked"),
        (WebSocketFault::NoCloseFrame, "", "/errors/closed", "code 1006"),
        (WebSocketFault::Closes(1011), "", "/errors/websocket", "code 1011 .*'enough'"),
        (WebSocketFault::Closes(1001), "", "/errors/closed", "1 closed"),
    ] {
        let report = load(fault, &format!("--connections 1 --messages 10 {args}"));
        report.expect_failure();
        assert_eq!(report.json(errors), 1, "{fault:?}: {report:?}");
        assert!(report.prints(text), "{fault:?}: {report:?}");
    }
}

#[test]
fn an_end_without_a_close_frame_is_counted_apart() {
    // The server ends the stream after all messages have returned.
    let report = load(WebSocketFault::NoCloseFrame, "--connections 2 --messages 2");
    report.expect_success();
    assert_eq!(report.json("/websocket/closes"), 0, "{report:?}");
    assert_eq!(report.json("/websocket/unclosed"), 2, "{report:?}");
    assert!(report.prints("close handshakes +0; 2 connections ended without"), "{report:?}");
    let report = load(WebSocketFault::IgnoresClose, "--connections 1 --messages 2");
    report.expect_success();
    assert_eq!(report.json("/websocket/unclosed"), 1, "{report:?}");
}

#[test]
fn a_refused_handshake_is_an_error_before_the_start() {
    let url = WebSocketServer::start(WebSocketFault::Handshake("HTTP/1.1 404 No\r\n\r\n")).url();
    let ended = Program::run_client(&["load", &url, "--messages", "1"]);
    assert_eq!(ended.code(), 1);
    assert!(ended.stderr.contains("status 404 (No))\nCheck the path"), "{ended:?}");
}

#[test]
fn a_server_that_echoes_only_texts_is_loaded_with_texts() {
    let args = "--connections 2 --messages 20 --size 1-300";
    load(WebSocketFault::TextOnly, &format!("{args} --ws-text")).expect_success();
    let refused = load(WebSocketFault::TextOnly, args);
    refused.expect_failure();
    assert!(refused.prints("code 1003 .unsupported data"), "{refused:?}");
}
