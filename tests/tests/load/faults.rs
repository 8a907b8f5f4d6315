//! Tests of `echo-client load` against faulty servers: the client detects, names and locates each fault.

use std::time::Duration;

use regex::Regex;
use tests::{
    net::{Fault, FaultServer, mock_server},
    programs::Report,
};

/// Options of a load test with 6 connections in 2 processes. The fault affects one connection.
const RUN: &str = "--processes 2 --connections 3 --messages 200 --size 64 --pipeline 8";
/// Number of messages on the 5 connections that the fault does not affect.
const OF_OTHERS: u64 = 1_000;

/// Runs [`RUN`] against a server with `fault`. The load test must fail, count only the `correct` messages
/// before the fault, and print a line that matches `kind` and names a connection and an offset.
///
/// Returns the connection, the offset and the line.
#[track_caller]
fn detect(fault: Fault, correct: u64, kind: &str) -> (u64, u64, String) {
    let report = Report::run(FaultServer::on_first_connection(fault).address(), RUN);
    report.expect_failure();
    assert_eq!(report.messages(), OF_OTHERS + correct, "{report:?}");
    let place = Regex::new(r"(?i)connection (\d+)[^\n;]*?offset (\d+)").expect("a valid pattern");
    let text = report.ended.stdout_text();
    let line = text.lines().find(|line| place.is_match(line));
    let line = line.unwrap_or_else(|| panic!("no line names a connection and an offset: {text}"));
    assert!(tests::log::matches(line, kind), "no {kind}: {line}");
    let numbers = place.captures(line).expect("the line matches");
    let number = |group: usize| numbers[group].parse().expect("digits");
    let (connection, offset) = (number(1), number(2));
    assert!(connection < 6, "there is no connection {connection}: {line}");
    (connection, offset, line.to_owned())
}

/// Asserts that the offset is `expected`, or a few bytes later: the byte after a missing one can be equal to
/// it.
#[track_caller]
fn assert_is_at(offset: u64, expected: u64) {
    assert!((expected..expected + 8).contains(&offset), "{offset} instead of {expected}");
}

#[test]
fn reports_a_flipped_bit_as_damaged_at_its_offset() {
    for byte in [0, 700, 64 * 200 - 1] {
        let (_, offset, _) = detect(Fault::FlipBit(byte), byte / 64, "damaged");
        assert_eq!(offset, byte);
    }
}

#[test]
fn reports_a_dropped_byte_as_missing() {
    let (_, offset, _) = detect(Fault::DropByte(700), 10, "missing|skipped");
    assert_is_at(offset, 700);
}

#[test]
fn reports_a_dropped_message_as_missing() {
    let (_, offset, _) = detect(Fault::DropMessage(10), 10, "missing|skipped");
    assert_is_at(offset, 640);
}

#[test]
fn reports_a_duplicate_message_as_repeated() {
    let (_, offset, _) = detect(Fault::RepeatMessage(10), 11, "repeated|again");
    assert_is_at(offset, 704);
}

#[test]
fn reports_swapped_messages_as_reordered() {
    let (_, offset, _) = detect(Fault::SwapMessages(10), 10, "reordered|order|after the ones");
    assert_is_at(offset, 640);
}

#[test]
fn names_the_connection_to_which_a_foreign_message_belongs() {
    let kind = r"bytes of connection \d+|connection \d+'s";
    let (connection, offset, line) = detect(Fault::ReplaceMessage(10), 10, kind);
    assert_is_at(offset, 640);
    let others = Regex::new(r"connection (\d+)").unwrap();
    let named: Vec<u64> =
        others.captures_iter(&line).map(|number| number[1].parse().unwrap()).collect();
    assert!(named.iter().any(|&other| other != connection && other < 6), "{line}");
}

/// No later message reveals the gap: the client detects it by the timeout.
#[test]
fn counts_a_dropped_last_message_as_lost() {
    let server = FaultServer::on_first_connection(Fault::DropMessage(199));
    let report = Report::run(server.address(), &format!("{RUN} --timeout 2s"));
    report.expect_failure();
    assert_eq!(report.messages(), OF_OTHERS + 199, "{report:?}");
    assert_eq!(report.json("/lost"), 1, "{report:?}");
}

#[test]
fn reports_a_timeout_and_lost_messages_if_the_server_stops_replying() {
    for bytes in [0, 700] {
        let server = FaultServer::on_first_connection(Fault::SilentAfter(bytes));
        let report = Report::run(server.address(), &format!("{RUN} --timeout 2s"));
        report.expect_failure();
        assert_eq!(report.messages(), OF_OTHERS + bytes / 64, "{report:?}");
        assert!(report.prints("time"), "{report:?}");
        assert!(report.json("/lost").as_u64().unwrap() > 0, "{report:?}");
    }
}

#[test]
fn reports_an_error_and_lost_messages_if_the_connection_ends() {
    for (fault, kind) in [
        (Fault::CloseAfter(700), "closed"),
        (Fault::ResetAfter(700), "reset"),
        // The client sees a reset if the kernel has received messages before the close, else an end.
        (Fault::CloseImmediately, "closed|reset"),
    ] {
        let report = Report::run(FaultServer::on_first_connection(fault).address(), RUN);
        report.expect_failure();
        assert!(report.messages() >= OF_OTHERS, "{report:?}");
        assert!(report.prints(kind), "no {kind}: {report:?}");
        assert!(report.json("/lost").as_u64().unwrap() > 0, "{report:?}");
    }
}

/// The server closes every connection immediately. The client ends and does not retry without limit.
#[test]
fn fails_if_the_server_closes_every_connection() {
    let report =
        Report::run(FaultServer::on_all_connections(Fault::CloseImmediately).address(), RUN);
    assert_eq!(report.code(), 1, "{report:?}");
}

/// The server sends bytes that it did not receive. The client escapes them, so the terminal does not
/// interpret them.
#[test]
fn fails_if_the_server_sends_first_and_escapes_its_bytes() {
    let address = mock_server::serve(|mut stream| {
        let _ = std::io::Write::write_all(&mut stream, b"\x1b[2JServer is full\r\n");
        while !mock_server::receive(&mut stream).is_empty() {}
    });
    let report = Report::run(address, "--processes 1 --connections 1 --messages 50 --timeout 2s");
    report.expect_failure();
    assert!(report.prints(r"Server is full"), "{report:?}");
    assert!(!report.ended.stdout.contains(&0x1b), "{report:?}");
}

/// The sizes cut blocks of the payload, or are too short for one block.
#[test]
fn detects_faults_in_short_messages() {
    for (fault, kind) in [
        (Fault::FlipBit(700), "damaged"),
        (Fault::DropMessage(100), "missing|skipped"),
        (Fault::RepeatMessage(100), "repeated|again"),
        (Fault::SwapMessages(100), "reordered|order|after the ones"),
    ] {
        let run = "--processes 1 --connections 2 --messages 2000 --size 10-30 --pipeline 50";
        let report = Report::run(FaultServer::on_first_connection(fault).address(), run);
        report.expect_failure();
        assert!(report.prints(kind), "{fault:?}: {report:?}");
    }
}

/// The echo is late but complete: the latencies include the delay, and the result is valid, because a client
/// that waits is not the bottleneck.
#[test]
fn every_latency_includes_a_delay_of_the_server() {
    let server = FaultServer::on_all_connections(Fault::Delay(Duration::from_millis(50)));
    let run = "--processes 1 --connections 5 --messages 10 --size 64 --pipeline 2";
    let report = Report::run(server.address(), run);
    assert_eq!((report.code(), report.verdict()), (0, "VALID"), "{report:?}");
    assert!(report.latency_ms("p50") >= 49.9, "{report:?}");
}

/// The server pauses for a tenth of the time, so a tenth of the scheduled messages wait, half of them for more
/// than half of the pause. An open loop measures this.
#[test]
fn the_latencies_of_an_open_loop_include_a_pause_of_the_server() {
    let (length, every) = (Duration::from_millis(100), Duration::from_secs(1));
    let server = FaultServer::on_all_connections(Fault::Pause { length, every });
    let run = "--processes 1 --connections 5 --duration 2s --size 64 --rate 1000";
    let report = Report::run(server.address(), run);
    report.expect_success();
    assert!(report.prints("open.loop"), "{report:?}");
    // The exact value is 90 ms.
    assert!(report.latency_ms("p99") >= 70.0, "{report:?}");
}

#[test]
fn a_closed_loop_reports_that_it_does_not_measure_pauses() {
    let server = FaultServer::on_all_connections(Fault::None);
    let report =
        Report::run(server.address(), "--processes 1 --connections 2 --messages 100 --size 64");
    report.expect_success();
    assert!(report.prints("closed.loop"), "{report:?}");
    assert!(report.prints("coordinated omission|pause|stall|--rate"), "{report:?}");
}
