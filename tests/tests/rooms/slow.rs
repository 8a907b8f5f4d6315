//! Members that do not read.

use std::io::{BufRead as _, BufReader};

use tests::{net::Peer, system::procfs};

use crate::{join, start_with};

/// Bytes of messages that no socket and no member buffer of 64 KiB holds.
const FLOOD: usize = 16 * 1024 * 1024;

/// Number of members, each with a full buffer of 1 MiB.
const SILENT: usize = 100;

/// Memory by which the server may grow for them, in bytes: far less than a copy for each.
const GROWTH: u64 = 24 * 1024 * 1024;

/// Arguments for two workers whose members stay: one that moves to another worker is told of its losses before and after it.
const SETTLED: [&str; 6] = ["--workers", "2", "--consolidate", "off", "--log-messages", "off"];

/// Starts a room with this rule for slow members, and sends a flood into it while one of two members does not read. Returns the
/// slow member and the log.
fn flood(rule: &str, read_on: impl FnOnce(&mut Peer) -> Vec<String>) -> (Vec<String>, String) {
    let server = start_with(&format!("&slow={rule}&member-buffer=64kB"), &SETTLED);
    let mut fast = join(&server, "fast");
    let mut slow = join(&server, "slow");
    slow.send(b"/seq on\n");
    slow.read_until("* Sequence numbers are on; the last one is ");
    fast.read_until("* guest-2 is now slow\n");
    send_flood(&mut fast);
    let lines = read_on(&mut slow);
    // A draining server waits for its clients.
    drop((fast, slow));
    let (_, log) = server.terminate();
    (lines, log)
}

/// Sends the flood as the member `fast`, which reads it.
fn send_flood(fast: &mut Peer) {
    let line = format!("{}\n", "x".repeat(4000));
    let mut echoes = BufReader::new(fast.stream().try_clone().expect("a descriptor"));
    for _ in 0..FLOOD / line.len() {
        fast.send(line.as_bytes());
        let mut echo = String::new();
        while !echo.starts_with("fast: ") {
            echo.clear();
            echoes.read_line(&mut echo).expect("the fast member is served");
        }
    }
}

/// Reads to the line that ends the test.
fn read_to_last(peer: &mut Peer) -> Vec<String> {
    peer.send(b"last\n");
    let lines = BufReader::new(peer.stream().try_clone().expect("a descriptor")).lines();
    // The first line is the rest of the answer to `/seq on`.
    let mut lines = lines.skip(1).map(|line| line.expect("the connection stays open"));
    let mut received = Vec::new();
    while !received.last().is_some_and(|line: &String| line.ends_with("slow: last")) {
        received.push(lines.next().expect("the last message arrives"));
    }
    received
}

/// Checks that the numbers have no gap but those that are told. Returns the number of lost messages.
#[track_caller]
fn check(lines: &[String]) -> u64 {
    let (mut expected, mut lost) = (None, 0);
    let number = |text: &str| text.parse::<u64>().expect("a number");
    for line in lines {
        let (first, after) = if let Some(gap) = line.strip_prefix("* ") {
            let (count, rest) = gap.split_once(' ').expect("a count");
            let (_, range) = rest.split_once('(').expect("a range");
            let (range, _) = range.split_once(')').expect("its end");
            let (first, end) = range.split_once('-').expect("two numbers");
            let (first, after) = (number(first), number(end) + 1);
            assert_eq!(number(count), after - first, "{line}");
            lost += after - first;
            (first, after)
        } else {
            let first = number(line.split_once(' ').expect("a number").0);
            (first, first + 1)
        };
        assert!(expected.is_none_or(|number| number == first), "{line} after {expected:?}");
        expected = Some(after);
    }
    lost
}

#[test]
fn a_slow_member_loses_the_oldest_messages_and_is_told_which() {
    let (lines, log) = flood("drop-oldest", read_to_last);
    let lost = check(&lines);
    assert!(lost > 100, "{lost}");
    assert!(log.contains(&format!("dropped {lost} messages of the room lobby for slow")), "{log}");
}

#[test]
fn a_slow_member_loses_the_newest_messages_and_is_told_which() {
    let (lines, _) = flood("drop-newest", read_to_last);
    let lost = check(&lines);
    assert!(lost > 100, "{lost}");
}

#[test]
fn a_slow_member_is_disconnected_where_the_listener_says_so() {
    let (lines, log) = flood("close", |peer| {
        let text = String::from_utf8_lossy(&peer.read_to_end()).into_owned();
        text.lines().map(str::to_owned).collect()
    });
    assert!(!lines.iter().any(|line| line.contains("lost")));
    assert!(log.contains("it reads too slowly, and "), "{log}");
}

#[test]
fn members_that_do_not_read_share_one_copy_of_what_waits_for_them() {
    let server = start_with("&member-buffer=1MB", &SETTLED);
    let mut fast = join(&server, "fast");
    let silent = |_| {
        let mut peer = server.connect();
        peer.shrink_buffers();
        peer.send(b"/seq off\n");
        peer.read_until("* Sequence numbers are off\n");
        peer
    };
    let silent: Vec<Peer> = (0..SILENT).map(silent).collect();
    let before = procfs::resident_memory(server.pid());
    send_flood(&mut fast);
    let grown = procfs::peak_memory(server.pid()).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes");
    drop((fast, silent));
    let (_, log) = server.terminate();
    let full = log.lines().filter(|line| line.contains(" reads too slowly: dropped "));
    assert_eq!(full.count(), SILENT, "as much as possible waits for each of them");
}
