//! `echo-client load` against servers that lie: each lie is caught, named and located.

use std::time::Duration;

use regex::Regex;
use tests::{
    liar::{Liar, Lie},
    load::Report,
    standin,
};

/// Of 6 connections in 2 processes one is lied to. The messages of all that are not: 5 x 200.
const RUN: &str = "--processes 2 --connections 3 --messages 200 --size 64 --pipeline 8";
const OF_OTHERS: u64 = 1_000;

/// Runs [`RUN`] against `lie`: it must fail, with a line that matches `what` and names a connection
/// and an offset, which are returned; and what was right before the lie, and nothing else, counts.
#[track_caller]
fn caught(lie: Lie, right: u64, what: &str) -> (u64, u64, String) {
    let report = Report::of(Liar::to_first(lie).address(), RUN);
    report.expect_failure();
    assert_eq!(report.messages(), OF_OTHERS + right, "{report:?}");
    let place = Regex::new(r"(?i)connection (\d+)[^\n;]*?offset (\d+)").expect("it compiles");
    let text = report.ended.stdout_text();
    let said = text.lines().find(|line| place.is_match(line));
    let said = said.unwrap_or_else(|| panic!("no place: {text}"));
    assert!(tests::load::prints(said, what), "no {what}: {said}");
    let numbers = place.captures(said).expect("it was found by it");
    let number = |group: usize| numbers[group].parse().expect("digits");
    let (connection, offset) = (number(1), number(2));
    assert!(connection < 6, "there is no connection {connection}: {said}");
    (connection, offset, said.to_owned())
}

/// The byte behind one that is missing can be the same: then the difference shows a little later.
#[track_caller]
fn assert_is_at(offset: u64, expected: u64) {
    assert!((expected..expected + 8).contains(&offset), "{offset} instead of {expected}");
}

#[test]
fn a_flipped_bit_is_damage_at_its_very_byte() {
    for byte in [0, 700, 64 * 200 - 1] {
        let (_, offset, _) = caught(Lie::FlipBit(byte), byte / 64, "damaged");
        assert_eq!(offset, byte);
    }
}

#[test]
fn a_dropped_byte_is_missing() {
    let (_, offset, _) = caught(Lie::DropByte(700), 10, "missing|skipped");
    assert_is_at(offset, 700);
}

#[test]
fn a_dropped_message_is_missing() {
    let (_, offset, _) = caught(Lie::DropMessage(10), 10, "missing|skipped");
    assert_is_at(offset, 640);
}

#[test]
fn a_message_that_comes_twice_is_repeated() {
    let (_, offset, _) = caught(Lie::RepeatMessage(10), 11, "repeated|again");
    assert_is_at(offset, 704);
}

#[test]
fn swapped_messages_are_reordered() {
    let (_, offset, _) = caught(Lie::SwapMessages(10), 10, "reordered|order|after the ones");
    assert_is_at(offset, 640);
}

#[test]
fn a_message_of_another_connection_is_traced_to_it() {
    let what = r"bytes of connection \d+|connection \d+'s";
    let (connection, offset, line) = caught(Lie::MixMessage(10), 10, what);
    assert_is_at(offset, 640);
    let others = Regex::new(r"connection (\d+)").unwrap();
    let named: Vec<u64> =
        others.captures_iter(&line).map(|number| number[1].parse().unwrap()).collect();
    assert!(named.iter().any(|&other| other != connection && other < 6), "{line}");
}

/// Nothing behind it gives it away: only that it never comes.
#[test]
fn a_last_message_that_is_dropped_is_lost() {
    let liar = Liar::to_first(Lie::DropMessage(199));
    let report = Report::of(liar.address(), &format!("{RUN} --timeout 300ms"));
    report.expect_failure();
    assert_eq!(report.messages(), OF_OTHERS + 199, "{report:?}");
    assert_eq!(report.json("/lost"), 1, "{report:?}");
}

#[test]
fn a_server_that_falls_silent_is_a_timeout_and_a_loss() {
    for bytes in [0, 700] {
        let liar = Liar::to_first(Lie::SilentAfter(bytes));
        let report = Report::of(liar.address(), &format!("{RUN} --timeout 300ms"));
        report.expect_failure();
        assert_eq!(report.messages(), OF_OTHERS + bytes / 64, "{report:?}");
        assert!(report.prints("time"), "{report:?}");
        assert!(report.json("/lost").as_u64().unwrap() > 0, "{report:?}");
    }
}

#[test]
fn a_connection_that_is_closed_or_reset_is_an_error_and_a_loss() {
    for (lie, what) in [
        (Lie::CloseAfter(700), "closed"),
        (Lie::ResetAfter(700), "reset"),
        // A kernel may have taken the first messages by then: a reset, or an end.
        (Lie::CloseAtOnce, "closed|reset"),
    ] {
        let report = Report::of(Liar::to_first(lie).address(), RUN);
        report.expect_failure();
        assert!(report.messages() >= OF_OTHERS, "{report:?}");
        assert!(report.prints(what), "no {what}: {report:?}");
        assert!(report.json("/lost").as_u64().unwrap() > 0, "{report:?}");
    }
}

/// A server that closes every connection as soon as it is there: an end, and no endless attempt.
#[test]
fn a_server_that_takes_nobody_is_a_failure() {
    let report = Report::of(Liar::to_all(Lie::CloseAtOnce).address(), RUN);
    assert_eq!(report.code(), 1, "{report:?}");
}

/// What it says is bytes nobody sent, and is shown so that it cannot reach the terminal.
#[test]
fn a_server_that_talks_first_is_damage_and_shown_escaped() {
    let address = standin::serve(|mut stream| {
        let _ = std::io::Write::write_all(&mut stream, b"\x1b[2JServer is full\r\n");
        while !standin::receive(&mut stream).is_empty() {}
    });
    let report = Report::of(address, "--processes 1 --connections 1 --messages 50 --timeout 300ms");
    report.expect_failure();
    assert!(report.prints(r"Server is full"), "{report:?}");
    assert!(!report.ended.stdout.contains(&0x1b), "{report:?}");
}

/// Sizes at which blocks of the payload are cut, and messages too short to hold one.
#[test]
fn lies_about_short_messages_are_caught_too() {
    for (lie, what) in [
        (Lie::FlipBit(700), "damaged"),
        (Lie::DropMessage(100), "missing|skipped"),
        (Lie::RepeatMessage(100), "repeated|again"),
        (Lie::SwapMessages(100), "reordered|order|after the ones"),
    ] {
        let run = "--processes 1 --connections 2 --messages 2000 --size 10-30 --pipeline 50";
        let report = Report::of(Liar::to_first(lie).address(), run);
        report.expect_failure();
        assert!(report.prints(what), "{lie:?}: {report:?}");
    }
}

/// It is late, and whole: no lie about a byte, and the times say it. A client that waits is not the
/// limit.
#[test]
fn a_delay_is_in_every_time() {
    let liar = Liar::to_all(Lie::Delay(Duration::from_millis(50)));
    let run = "--processes 1 --connections 5 --messages 10 --size 64 --pipeline 2";
    let report = Report::of(liar.address(), run);
    assert_eq!((report.code(), report.verdict()), (0, "VALID"), "{report:?}");
    assert!(report.latency_ms("p50") >= 49.9, "{report:?}");
}

/// A tenth of the time nobody is answered, so a tenth of what was due waits: half of that for more
/// than half of the pause. An open loop sees it.
#[test]
fn a_known_pause_is_in_the_times_of_an_open_loop() {
    let (length, every) = (Duration::from_millis(100), Duration::from_secs(1));
    let liar = Liar::to_all(Lie::Pause { length, every });
    let run = "--processes 1 --connections 5 --duration 2s --size 64 --rate 1000";
    let report = Report::of(liar.address(), run);
    report.expect_well();
    assert!(report.prints("open.loop"), "{report:?}");
    // By arithmetic 90 ms.
    assert!(report.latency_ms("p99") >= 70.0, "{report:?}");
}

#[test]
fn a_closed_loop_says_that_it_cannot_see_a_pause() {
    let liar = Liar::to_all(Lie::Nothing);
    let report =
        Report::of(liar.address(), "--processes 1 --connections 2 --messages 100 --size 64");
    report.expect_well();
    assert!(report.prints("closed.loop"), "{report:?}");
    assert!(report.prints("coordinated omission|pause|stall|--rate"), "{report:?}");
}
