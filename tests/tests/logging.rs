//! What the server logs: the original's lines, safe from peers, wherever and however they go.

use std::{fs, net::SocketAddr};

use common::escape::MAX_SHOWN;
use rustix::process::Signal;
use serde_json::Value;
use tests::{
    log,
    payload::numbered_lines,
    peer::Peer,
    procfs,
    server::{EchoServer, Launch},
};

/// The quoted text of the last `Received from` line of a peer, once its `Echoed to` is there too.
fn logged_message(server: &EchoServer, peer: SocketAddr, count: usize) -> String {
    let received = server.log().wait_for_lines(&format!("Received from {peer}: "), count);
    let echoed = server.log().wait_for_lines(&format!("Echoed to {peer}: "), count);
    let quoted = |lines: &[String], before: &str| {
        let line = lines.last().expect("there are as many as were waited for");
        line.split_once(before).expect("the pattern has it").1.to_owned()
    };
    let received = quoted(&received, &format!("Received from {peer}: "));
    assert_eq!(received, quoted(&echoed, &format!("Echoed to {peer}: ")));
    received
}

fn says_goodbye(mut peer: Peer) {
    peer.send(b"exit\n");
    peer.expect_rest(b"Goodbye!\n");
}

#[test]
fn a_session_reads_as_in_the_original() {
    let server = EchoServer::start(&[]);
    server.wait_for_log("^{time} - INFO - Waiting for client connections\\.\\.\\.$");

    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"Hello, Server!");
    peer.exchange(b"Testing 123\r\n");
    says_goodbye(peer);
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
fn a_peer_that_goes_without_exit_disconnected_unexpectedly() {
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
fn pipelined_lines_are_messages_of_their_own() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"one\ntwo\r\n\nrest");
    let lines = server.log().wait_for_lines(&format!("Echoed to {}", peer.address()), 4);
    let texts: Vec<&str> = lines.iter().map(|line| line.split_once(": ").unwrap().1).collect();
    assert_eq!(texts, ["'one'", "'two'", "''", "'rest'"]);
}

#[test]
fn frames_are_logged_by_their_payload() {
    let server = EchoServer::start(&["--protocol", "length"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"\0\0\0\x05hello\0\0\0\x03a\nb");
    peer.send(b"\0\0\0\x04EXIT");
    peer.expect_rest(b"\0\0\0\x08Goodbye!");
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

/// CR, LF, ESC sequences, C1 controls, bidirectional marks, invalid UTF-8 -> one record, one line,
/// escaped.
#[test]
fn nothing_that_a_peer_sends_forges_a_line_or_reaches_the_terminal() {
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
    says_goodbye(peer);
    let lines = server.session_log(address);
    assert_eq!(lines.len(), 2 * cases.len() + 4, "one record, one line: {lines:?}");
    let (_, log) = server.terminate();
    let every_line = log::pattern("^{time} - (DEBUG|INFO|WARNING|ERROR) - .+$");
    for line in log.lines() {
        assert!(every_line.is_match(line), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// 10 MB messages -> one record, one line, cut; a message that comes in many reads has one for each.
#[test]
fn a_long_message_is_cut() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let text = "x".repeat(MAX_SHOWN);
    peer.exchange(format!("{text}\n").as_bytes());
    assert_eq!(logged_message(&server, peer.address(), 1), format!("'{text}'"));
    peer.exchange(format!("{text}{}\n", "y".repeat(976)).as_bytes());
    assert_eq!(logged_message(&server, peer.address(), 2), format!("'{text}' (976 more bytes)"));

    let mut flood = vec![b'z'; 10_000_000];
    flood.push(b'\n');
    let sender = peer.send_aside(flood.clone());
    peer.expect(&flood);
    sender.join().unwrap().unwrap();
    let address = peer.address();
    says_goodbye(peer);
    let (_, log) = server.terminate();
    let longest = log.lines().map(str::len).max();
    assert!(longest < Some(MAX_SHOWN + 200), "the longest line has {longest:?} bytes");
    // Cut or not, what is shown and what is counted adds up to what was sent, but for the newline.
    let counts =
        log::pattern(&format!(r"Received from {address}: '(z+)'(?: \((\d+) more bytes?\))?"));
    let counted: usize = counts
        .captures_iter(&log)
        .map(|line| line[1].len() + line.get(2).map_or(0, |more| more.as_str().parse().unwrap()))
        .sum();
    assert_eq!(counted, flood.len() - 1);
}

#[test]
fn log_messages_off_keeps_the_sessions_and_drops_what_was_said() {
    let server = EchoServer::start(&["--log-messages", "off"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"a secret\n");
    says_goodbye(peer);
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
fn log_level_warning_leaves_out_what_is_only_information() {
    let server = Launch::new(&["--log-level", "warning"]).unannounced().start();
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    says_goodbye(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains(" - INFO - ") && !log.contains("hello"), "{log}");
}

/// A probe (connect, close) every second floods the log: it is counted, and told at debug only.
#[test]
fn probes_are_counted_and_told_at_debug_only() {
    for (level, lines) in [("info", 0), ("debug", 20)] {
        let server = EchoServer::start(&["--workers", "1", "--log-level", level]);
        // Or the server could be slow, and see one of them stay for a while.
        server.signal(Signal::STOP);
        for _ in 0..lines.max(20) {
            drop(server.connect());
        }
        server.signal(Signal::CONT);
        let mut client = server.connect();
        client.exchange(b"hello\n");
        says_goodbye(client);
        let (_, log) = server.terminate();
        assert_eq!(log.matches("disconnected without sending data").count(), lines, "{log}");
        assert_eq!(log.contains("Served 21 connections, 20 of them"), lines > 0, "{log}");
        assert_eq!(log.matches("New client connected").count(), 1, "{log}");
        assert_eq!(log.matches("closed").count(), 1, "{log}");
    }
}

/// Whoever says nothing and stays is a client all the same.
#[test]
fn a_silent_client_that_stays_is_told() {
    let server = EchoServer::start(&[]);
    let client = server.connect();
    server.wait_for_log(&format!("New client connected: {}$", client.address()));
}

#[test]
fn log_level_debug_says_no_less() {
    let server = EchoServer::start(&["--log-level", "debug"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"hello\n");
    says_goodbye(peer);
    let lines = server.session_log(address);
    let information = lines.iter().filter(|line| line.contains(" - INFO - ")).count();
    assert_eq!(information, 6, "{lines:?}");
}

#[test]
fn a_log_file_gets_the_lines_instead_of_standard_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("echo.log");
    fs::write(&file, "what an earlier server logged\n").unwrap();

    let server = Launch::new(&["--log-file", file.to_str().unwrap()]).unannounced().start();
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"Hello, Server!\n");
    says_goodbye(peer);
    let (status, stderr) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert_eq!(stderr, "", "standard error stays silent");

    let log = fs::read_to_string(&file).unwrap();
    assert!(log.starts_with("what an earlier server logged\n"), "a log is appended to: {log}");
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

/// SIGHUP -> log file reopened: a rotation moves it away, and no record is lost or in both.
#[test]
fn sighup_reopens_the_log_file() {
    let directory = tempfile::tempdir().unwrap();
    let [file, moved] = ["echo.log", "echo.log.1"].map(|name| directory.path().join(name));
    let server = Launch::new(&["--log-file", file.to_str().unwrap()]).unannounced().start();
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    let log = |file| fs::read_to_string(file).unwrap_or_default();
    procfs::look_until("it is logged", || log(&file).contains("Echoed to"));
    fs::rename(&file, &moved).unwrap();
    peer.exchange(b"meanwhile\n");
    server.signal(Signal::HUP);
    procfs::look_until("there is a new file", || file.exists());
    peer.exchange(b"after\n");
    says_goodbye(peer);
    assert_eq!(server.terminate().0.code(), Some(0));

    let (new, old) = (log(&file), log(&moved));
    for (log, other, message) in [(&old, &new, "before"), (&new, &old, "after")] {
        let message = format!(": '{message}'");
        assert_eq!((log.matches(&message).count(), other.matches(&message).count()), (2, 0));
    }
    assert_eq!(format!("{old}{new}").matches(": 'meanwhile'").count(), 2, "{old}\n{new}");
}

#[test]
fn json_lines_are_json_each_with_time_level_and_message() {
    let server = EchoServer::start(&["--log-format", "json"]);
    let mut peer = server.connect();
    let address = peer.address();
    peer.exchange(b"a \"quoted\" back\\slash \x1b[0m \xff\n");
    says_goodbye(peer);
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

/// A closed stderr, a broken pipe -> the echo goes on.
#[test]
fn a_log_that_nobody_reads_any_more_does_not_stop_the_echo() {
    let mut server = EchoServer::start(&[]);
    server.log().close_at_next_bytes();
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    let _ = server.log().to_end();
    for number in 0..1_000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    server.connect().exchange(b"a new one too\n");
    says_goodbye(peer);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// As above, for a standard error that has been closed from the start (`2>&-`): what takes its number
/// must not be taken for it.
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
        says_goodbye(peer);
    }
    let (status, log) = server.terminate();
    assert_eq!((status.code(), &log[..]), (Some(0), ""));
}

/// A reader that has stopped -> the echo goes on; records that could not be written are counted and
/// the count is logged when it can be again.
#[test]
fn a_log_that_is_stuck_drops_and_counts_records_and_recovers() {
    for overflow in ["block", "drop"] {
        let server = EchoServer::start(&["--log-overflow", overflow]);
        let mut peer = server.connect();
        peer.exchange(b"hello\n");
        server.log().pause();
        exchange_more_than_a_log_holds(&mut peer);

        server.log().resume();
        server.wait_for_log(r"(?i)\d.*(record|line|message).*(drop|lost|not .*written)");
        peer.exchange(b"and after\n");
        server.wait_for_log("Echoed to .*: 'and after'");
        says_goodbye(peer);
        assert_eq!(server.terminate().0.code(), Some(0));
    }
}

/// As above, and nobody ever reads the log again: that does not keep the server from ending.
#[test]
fn a_log_that_stays_stuck_does_not_hold_up_the_shutdown() {
    let mut server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.log().pause();
    exchange_more_than_a_log_holds(&mut peer);
    says_goodbye(peer);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Far more lines than a pipe and any reasonable queue hold.
fn exchange_more_than_a_log_holds(peer: &mut Peer) {
    let lines = format!("{}\n", "x".repeat(1_000)).repeat(10_000);
    let sender = peer.send_aside(lines.clone());
    peer.expect(lines.as_bytes());
    sender.join().expect("it does not panic").expect("the server takes it all");
}

/// Log on a full disk -> the echo goes on.
#[test]
fn a_log_on_a_full_disk_does_not_stop_the_echo() {
    let server = Launch::new(&["--log-file", "/dev/full"]).unannounced().start();
    let mut peer = server.connect();
    for number in 0..1_000 {
        peer.exchange(format!("message {number}\n").as_bytes());
    }
    says_goodbye(peer);
    assert_eq!(server.terminate().0.code(), Some(0));
}

/// A sink that is merely slow loses nothing: what was said is all there at the end.
#[test]
fn a_shutdown_writes_out_every_record() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    let lines = numbered_lines("message", 20_000);
    let sender = peer.send_aside(lines.clone());
    peer.expect(lines.as_bytes());
    sender.join().unwrap().unwrap();
    drop(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0));
    // A line that came in two reads has two records: what they show, one after the other, is it all.
    for kind in ["Received from", "Echoed to"] {
        let shown = log::pattern(&format!("{kind} {{peer}}: '(.*)'"));
        let texts: String = shown.captures_iter(&log).map(|line| line[1].to_owned()).collect();
        let sent: String = lines.lines().collect();
        assert!(texts == sent, "{kind}: {} bytes of {} are in the log", texts.len(), sent.len());
    }
    assert!(log.trim_end().ends_with("Server shutdown complete"));
}
