//! Tests of the log: its lines are those of the original, a peer cannot forge them, and a failing log does not
//! affect the echo.

use std::{fs, net::SocketAddr};

use common::escape::MAX_SHOWN;
use rustix::process::Signal;
use serde_json::Value;
use tests::{
    log,
    net::Peer,
    payload::numbered_lines,
    programs::{EchoServer, Launch},
    wait::wait_until,
};

/// Waits for `count` messages of a peer; returns the quoted text of the last `Received from` line, which must be
/// that of the last `Echoed to` line too.
fn logged_message(server: &EchoServer, peer: SocketAddr, count: usize) -> String {
    let received = server.log().wait_for_lines(&format!("Received from {peer}: "), count);
    let echoed = server.log().wait_for_lines(&format!("Echoed to {peer}: "), count);
    let quoted = |lines: &[String], before: &str| {
        let line = lines.last().expect("at least one line");
        line.split_once(before).expect("the line matches the pattern").1.to_owned()
    };
    let received = quoted(&received, &format!("Received from {peer}: "));
    assert_eq!(received, quoted(&echoed, &format!("Echoed to {peer}: ")));
    received
}

/// Ends a session by `exit`.
fn end_session(mut peer: Peer) {
    peer.send(b"exit\n");
    peer.expect_to_end(b"Goodbye!\n");
}

#[test]
fn logs_a_session_like_the_original() {
    let server = EchoServer::start(&[]);
    server.wait_for_log("^{time} - INFO - Waiting for client connections\\.\\.\\.$");

    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"Hello, Server!");
    peer.exchange(b"Testing 123\r\n");
    end_session(peer);
    assert_eq!(
        server.session_log(address),
        [
            "{time} - INFO - New client connected: {peer}",
            "{time} - INFO - Received from {peer}: 'Hello, Server!'",
            "{time} - INFO - Echoed to {peer}: 'Hello, Server!'",
            "{time} - INFO - Received from {peer}: 'Testing 123'",
            "{time} - INFO - Echoed to {peer}: 'Testing 123'",
            "{time} - INFO - Received from {peer}: 'exit'",
            "{time} - INFO - Client {peer} requested to exit",
            "{time} - INFO - Connection with {peer} closed",
        ]
    );

    let port = server.address();
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let lines: Vec<&str> = log.lines().collect();
    let whole = |line: &str, text: &str| {
        assert!(log::pattern(&format!("^{{time}} - INFO - {text}$")).is_match(line), "{line}");
    };
    whole(lines[0], &format!("Echo server started on {port}"));
    whole(lines[1], r"Waiting for client connections\.\.\.");
    whole(lines[lines.len() - 2], r"Shutting down server\.\.\.");
    whole(lines[lines.len() - 1], "Server shutdown complete");
}

#[test]
fn logs_an_unexpected_disconnect_after_an_end_without_exit() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"one\ntwo");
    peer.half_close();
    peer.expect_end();
    let lines = server.session_log(address);
    let gone = lines.iter().position(|line| {
        log::pattern("^\\{time\\} - [A-Z]+ - Client \\{peer\\} disconnected unexpectedly$")
            .is_match(line)
    });
    assert_eq!(gone, Some(lines.len() - 2), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("ERROR")), "{lines:?}");
}

#[test]
fn logs_each_pipelined_line_as_a_message() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"one\ntwo\r\n\nrest");
    let lines = server.log().wait_for_lines(&format!("Echoed to {}", peer.address()), 4);
    let texts: Vec<&str> = lines.iter().map(|line| line.split_once(": ").unwrap().1).collect();
    assert_eq!(texts, ["'one'", "'two'", "''", "'rest'"]);
}

#[test]
fn logs_the_payload_of_frames() {
    let server = EchoServer::start(&["--protocol", "length"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"\0\0\0\x05hello\0\0\0\x03a\nb");
    peer.send(b"\0\0\0\x04EXIT");
    peer.expect_to_end(b"\0\0\0\x08Goodbye!");
    drop(peer);
    assert_eq!(
        server.session_log(address),
        [
            "{time} - INFO - New client connected: {peer}",
            "{time} - INFO - Received from {peer}: 'hello'",
            r"{time} - INFO - Received from {peer}: 'a\nb'",
            "{time} - INFO - Echoed to {peer}: 'hello'",
            r"{time} - INFO - Echoed to {peer}: 'a\nb'",
            "{time} - INFO - Received from {peer}: 'EXIT'",
            "{time} - INFO - Client {peer} requested to exit",
            "{time} - INFO - Connection with {peer} closed",
        ]
    );
}

/// CR, LF, ESC sequences, C1 controls, bidirectional marks, invalid UTF-8: each message is one escaped line.
#[test]
fn escapes_bytes_that_would_forge_a_line_or_control_the_terminal() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let cases: [(&[u8], &str); 9] = [
        (b"\x1b[2J\x1b]0;owned\x07\n", r"'\x1b[2J\x1b]0;owned\x07'"),
        (b"a\r2024-01-15 10:30:45 - INFO - forged\n", r"'a\r2024-01-15 10:30:45 - INFO - forged'"),
        ("\u{9b}31m\u{85}\n".as_bytes(), r"'\u{9b}31m\u{85}'"),
        ("\u{202e}txt.exe\u{2066}\n".as_bytes(), r"'\u{202e}txt.exe\u{2066}'"),
        ("\u{2028}\u{200b}\n".as_bytes(), r"'\u{2028}\u{200b}'"),
        (b"\xff\xfe caf\xc3\n", r"'\xff\xfe caf\xc3'"),
        (b"\0\x7f\t\n", r"'\x00\x7f\t'"),
        (b"C:\\new\n", r"'C:\\new'"),
        ("na\u{ef}ve \u{4f60}\u{597d} it's\n".as_bytes(), "'na\u{ef}ve \u{4f60}\u{597d} it's'"),
    ];
    for (number, (message, shown)) in (1..).zip(cases) {
        peer.exchange(message);
        assert_eq!(logged_message(&server, peer.address(), number), shown);
    }
    let address = peer.address();
    end_session(peer);
    let lines = server.session_log(address);
    assert_eq!(lines.len(), 2 * cases.len() + 4, "not one line for each record: {lines:?}");
    let (_, log) = server.terminate();
    let every_line = log::pattern("^{time} - (DEBUG|INFO|WARNING|ERROR) - .+$");
    for line in log.lines() {
        assert!(every_line.is_match(line), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// A record shows the start of a long message and counts the rest. A message that arrives in many reads has a
/// record for each.
#[test]
fn truncates_a_long_message() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let text = "x".repeat(MAX_SHOWN);
    peer.exchange(format!("{text}\n").as_bytes());
    assert_eq!(logged_message(&server, peer.address(), 1), format!("'{text}'"));
    peer.exchange(format!("{text}{}\n", "y".repeat(976)).as_bytes());
    assert_eq!(logged_message(&server, peer.address(), 2), format!("'{text}' (976 more bytes)"));

    let mut flood = vec![b'z'; 10_000_000];
    flood.push(b'\n');
    let sender = peer.send_in_background(flood.clone());
    peer.expect(&flood);
    sender.join().unwrap().unwrap();
    let address = peer.address();
    end_session(peer);
    let (_, log) = server.terminate();
    let longest = log.lines().map(str::len).max();
    assert!(longest < Some(MAX_SHOWN + 200), "the longest line has {longest:?} bytes");
    // The shown and the counted bytes add up to the message without its newline.
    let counts =
        log::pattern(&format!(r"Received from {address}: '(z+)'(?: \((\d+) more bytes?\))?"));
    let counted: usize = counts
        .captures_iter(&log)
        .map(|line| line[1].len() + line.get(2).map_or(0, |more| more.as_str().parse().unwrap()))
        .sum();
    assert_eq!(counted, flood.len() - 1);
}

#[test]
fn log_messages_off_logs_sessions_without_their_messages() {
    let server = EchoServer::start_quiet();
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"a secret\n");
    end_session(peer);
    assert_eq!(
        server.session_log(address),
        [
            "{time} - INFO - New client connected: {peer}",
            "{time} - INFO - Client {peer} requested to exit",
            "{time} - INFO - Connection with {peer} closed",
        ]
    );
    let (_, log) = server.terminate();
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn log_level_warning_omits_information() {
    let server = Launch::new(&["--log-level", "warning"]).without_start_line().start();
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    end_session(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains(" - INFO - ") && !log.contains("hello"), "{log}");
}

/// A probe connects and closes. One every second would flood the log.
#[test]
fn counts_probes_and_logs_them_at_debug_only() {
    for (level, lines) in [("info", 0), ("debug", 20)] {
        let server = EchoServer::start(&["--workers", "1", "--log-level", level]);
        // Each probe must have ended when the server accepts it: an open one counts as a client after a while.
        server.pause();
        for _ in 0..lines.max(20) {
            drop(server.connect());
        }
        server.resume();
        let mut client = server.connect();
        client.exchange(b"hello\n");
        end_session(client);
        let (_, log) = server.terminate();
        assert_eq!(log.matches("disconnected without sending data").count(), lines, "{log}");
        assert_eq!(log.contains("Served 21 connections, 20 of them"), lines > 0, "{log}");
        assert_eq!(log.matches("New client connected").count(), 1, "{log}");
        assert_eq!(log.matches("closed").count(), 1, "{log}");
    }
}

#[test]
fn logs_a_silent_client_that_stays_connected() {
    let server = EchoServer::start(&[]);
    let client = server.connect();
    server.wait_for_log(&format!("New client connected: {}$", client.address()));
}

#[test]
fn log_level_debug_includes_information() {
    let server = EchoServer::start(&["--log-level", "debug"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"hello\n");
    end_session(peer);
    let lines = server.session_log(address);
    let information = lines.iter().filter(|line| line.contains(" - INFO - ")).count();
    assert_eq!(information, 6, "{lines:?}");
}

#[test]
fn logs_to_the_log_file_instead_of_standard_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("echo.log");
    fs::write(&file, "what an earlier server logged\n").unwrap();

    let server = Launch::new(&["--log-file", file.to_str().unwrap()]).without_start_line().start();
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"Hello, Server!\n");
    end_session(peer);
    let (status, stderr) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert_eq!(stderr, "", "the server writes to standard error");

    let log = fs::read_to_string(&file).unwrap();
    assert!(
        log.starts_with("what an earlier server logged\n"),
        "the server truncated the file: {log}"
    );
    assert_eq!(
        log::lines_of(&log, address),
        [
            "{time} - INFO - New client connected: {peer}",
            "{time} - INFO - Received from {peer}: 'Hello, Server!'",
            "{time} - INFO - Echoed to {peer}: 'Hello, Server!'",
            "{time} - INFO - Received from {peer}: 'exit'",
            "{time} - INFO - Client {peer} requested to exit",
            "{time} - INFO - Connection with {peer} closed",
        ]
    );
    assert!(log.trim_end().ends_with("Server shutdown complete"), "{log}");
}

/// After a rotation has moved the file, each record is in exactly one of the two files.
#[test]
fn sighup_reopens_the_log_file() {
    let directory = tempfile::tempdir().unwrap();
    let [file, moved] = ["echo.log", "echo.log.1"].map(|name| directory.path().join(name));
    let server = Launch::new(&["--log-file", file.to_str().unwrap()]).without_start_line().start();
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    let log = |file| fs::read_to_string(file).unwrap_or_default();
    wait_until("the message is logged", || log(&file).contains("Echoed to"));
    fs::rename(&file, &moved).unwrap();
    peer.exchange(b"meanwhile\n");
    server.signal(Signal::HUP);
    wait_until("the new file exists", || file.exists());
    peer.exchange(b"after\n");
    end_session(peer);
    assert_eq!(server.terminate().0.code(), Some(0));

    let (new, old) = (log(&file), log(&moved));
    for (log, other, message) in [(&old, &new, "before"), (&new, &old, "after")] {
        let message = format!(": '{message}'");
        assert_eq!((log.matches(&message).count(), other.matches(&message).count()), (2, 0));
    }
    assert_eq!(format!("{old}{new}").matches(": 'meanwhile'").count(), 2, "{old}\n{new}");
}

#[test]
fn json_records_contain_time_level_and_message() {
    let server = EchoServer::start(&["--log-format", "json"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"a \"quoted\" back\\slash \x1b[0m \xff\n");
    end_session(peer);
    server.wait_for_log(&format!("Connection with {address} closed"));
    let (_, log) = server.terminate();

    let records: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for record in &records {
        for field in ["time", "level", "message"] {
            assert!(record[field].is_string(), "{field} is missing in {record}");
        }
        assert_eq!(record["level"], "INFO", "{record}");
    }
    let message = |text: String| records.iter().any(|record| record["message"] == text);
    assert!(message(format!("New client connected: {address}")), "{log}");
    assert!(
        message(format!(r#"Received from {address}: 'a "quoted" back\\slash \x1b[0m \xff'"#)),
        "{log}"
    );
}

/// The pipe at standard error is broken: the echo continues.
#[test]
fn a_broken_pipe_of_the_log_does_not_stop_the_echo() {
    let mut server = EchoServer::start(&[]);
    server.log().close_at_next_bytes();
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    let _ = server.log().read_to_end();
    for number in 0..1_000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    server.connect().exchange(b"a new one too\n");
    end_session(peer);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Standard error is closed from the start (`2>&-`): the server must not write the log to another descriptor
/// that gets its number.
#[test]
fn a_closed_standard_error_does_not_stop_the_echo() {
    let server = Launch::new::<&str>(&[]).closed_stderr().start();
    let mut peers: Vec<Peer> = (0..10).map(|_| server.connect()).collect();
    for number in 0..100 {
        for peer in &mut peers {
            peer.exchange(format!("message {number}\n").as_bytes());
        }
    }
    for peer in peers {
        end_session(peer);
    }
    let (status, log) = server.terminate();
    assert_eq!((status.code(), &log[..]), (Some(0), ""));
}

/// The reader of the log stops: the echo continues, and the server logs the number of lost records when it can
/// write again.
#[test]
fn counts_the_records_that_a_stalled_log_loses_and_recovers() {
    for overflow in ["block", "drop"] {
        let server = EchoServer::start(&["--log-overflow", overflow]);
        let mut peer = server.connect();
        peer.exchange(b"hello\n");
        server.log().pause();
        exchange_more_than_the_log_buffers(&mut peer);

        server.log().resume();
        server.wait_for_log(r"(?i)\d.*(record|line|message).*(drop|lost|not .*written)");
        peer.exchange(b"and after\n");
        server.wait_for_log("Echoed to .*: 'and after'");
        end_session(peer);
        assert_eq!(server.terminate().0.code(), Some(0));
    }
}

/// The reader of the log never continues: the server exits nevertheless.
#[test]
fn a_stalled_log_does_not_block_the_shutdown() {
    let mut server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.log().pause();
    exchange_more_than_the_log_buffers(&mut peer);
    end_session(peer);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Exchanges far more lines than a pipe and the queue of the log hold.
fn exchange_more_than_the_log_buffers(peer: &mut Peer) {
    let lines = format!("{}\n", "x".repeat(1_000)).repeat(10_000);
    let sender = peer.send_in_background(lines.clone());
    peer.expect(lines.as_bytes());
    sender.join().expect("the sender does not panic").expect("the server reads everything");
}

#[test]
fn a_log_on_a_full_disk_does_not_stop_the_echo() {
    let server = Launch::new(&["--log-file", "/dev/full"]).without_start_line().start();
    let mut peer = server.connect();
    for number in 0..1_000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    end_session(peer);
    assert_eq!(server.terminate().0.code(), Some(0));
}

/// A slow log loses no record: the server writes all of them before it exits.
#[test]
fn a_shutdown_writes_every_record() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let lines = numbered_lines("message", 20_000);
    let sender = peer.send_in_background(lines.clone());
    peer.expect(lines.as_bytes());
    sender.join().unwrap().unwrap();
    drop(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0));
    // A line that arrives in two reads has two records: together they show the complete line.
    for kind in ["Received from", "Echoed to"] {
        let shown = log::pattern(&format!("{kind} {{peer}}: '(.*)'"));
        let texts: String = shown.captures_iter(&log).map(|line| line[1].to_owned()).collect();
        let sent: String = lines.lines().collect();
        assert!(texts == sent, "{kind}: {} bytes of {} are in the log", texts.len(), sent.len());
    }
    assert!(log.trim_end().ends_with("Server shutdown complete"));
}
