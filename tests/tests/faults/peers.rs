//! What Python, curl and nc see of each fault.

use std::{net::SocketAddr, path::Path, process::Command};

use common::fault::{Fault, FaultRecord};
use tests::{
    programs::{Finished, Program},
    requirements::{curl, nc, python, skip_without},
};

use crate::faulty::Faulty;

/// What a client in Python sees.
#[derive(Debug)]
struct Seen {
    text: String,
    elapsed_ms: u64,
    /// Places of the bytes that differ.
    wrong: Vec<u64>,
}

fn run(command: Command, input: &[u8]) -> Finished {
    let mut program = Program::spawn(command);
    program.feed_all(input.to_vec());
    program.finish()
}

/// Returns what a client in Python sees that sends so many bytes to each of these addresses, and then does what its program
/// describes.
fn python_sees<'a>(cases: impl Iterator<Item = (SocketAddr, usize, &'a str)>) -> Vec<Seen> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/programs/observe.py");
    let mut command = Command::new("python3");
    command.arg(script).args(cases.map(|(at, count, then)| format!("{at},{count},{then}")));
    let finished = run(command, b"");
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let text = String::from_utf8(finished.stdout).expect("it is text");
    text.lines().map(Seen::parse).collect()
}

impl Seen {
    fn parse(line: &str) -> Self {
        let parts: Vec<&str> = line.split('|').collect();
        let number = |number: &str| number.parse().expect("a number");
        let [text, elapsed_ms, wrong] = parts[..] else { panic!("three parts: {line}") };
        let wrong = wrong.split_whitespace().map(number).collect();
        Self { text: text.to_owned(), elapsed_ms: number(elapsed_ms), wrong }
    }
}

#[test]
fn a_client_in_python_sees_each_fault_and_each_pair_of_faults() {
    if skip_without(&[python()]) {
        return;
    }
    // The faults; the bytes that the client sends, and what it does then; what it sees, and the time that this takes at least.
    let cases = [
        ("reset-after=1000", 2_000, "", "1000 bytes, 0 wrong, ECONNRESET", 0),
        ("refuse=100%", 2_000, "", "0 bytes, 0 wrong, ECONNRESET", 0),
        ("close-after=1000", 200_000, "1000", "1000 bytes, 0 wrong, FIN, sent 1000 more", 0),
        ("half-close-after=1000", 2_000, "100000", "1000 bytes, 0 wrong, FIN, sent 100000 more", 0),
        ("truncate=1000", 2_000, "half-close", "1000 bytes, 0 wrong, FIN", 0),
        ("delay=200ms", 2_000, "", "2000 bytes, 0 wrong, all", 200),
        ("coalesce=200ms", 2_000, "", "2000 bytes, 0 wrong, all", 200),
        ("accept-delay=200ms", 2_000, "", "2000 bytes, 0 wrong, all", 200),
        ("stall-after=1000:200ms", 2_000, "", "2000 bytes, 0 wrong, all", 200),
        ("drip=100B/20ms", 1_000, "", "1000 bytes, 0 wrong, all", 9 * 20),
        ("split=1..7", 2_000, "", "2000 bytes, 0 wrong, all", 0),
        ("reset-after=1000@0%&delay=1h@1h..2h", 2_000, "", "2000 bytes, 0 wrong, all", 0),
        ("delay=100ms&reset-after=1000", 2_000, "", "1000 bytes, 0 wrong, ECONNRESET", 100),
        ("split=1..7&close-after=1000", 2_000, "", "1000 bytes, 0 wrong, FIN", 0),
        ("drip=100B/20ms&truncate=1000", 2_000, "half-close", "1000 bytes, 0 wrong, FIN", 9 * 20),
        (
            "stall-after=500:200ms&reset-after=1000",
            2_000,
            "",
            "1000 bytes, 0 wrong, ECONNRESET",
            200,
        ),
        ("coalesce=100ms&accept-delay=200ms", 2_000, "", "2000 bytes, 0 wrong, all", 200),
        (
            "half-close-after=1000&delay=100ms",
            2_000,
            "9",
            "1000 bytes, 0 wrong, FIN, sent 9 more",
            100,
        ),
    ];
    let faults = cases.map(|(faults, ..)| faults);
    let server = Faulty::start("tcp", &faults, &[]);
    let addressed = cases.iter().enumerate();
    let addressed =
        addressed.map(|(index, &(_, count, then, ..))| (server.address(index), count, then));
    for ((faults, .., expected, at_least_ms), seen) in cases.iter().zip(python_sees(addressed)) {
        assert_eq!(seen.text, *expected, "{faults}");
        assert!(seen.elapsed_ms >= *at_least_ms, "{faults}: {seen:?}");
    }
}

#[test]
fn a_client_in_python_finds_the_bytes_that_the_fault_log_names() {
    if skip_without(&[python()]) {
        return;
    }
    let faults = ["corrupt=1/100", "corrupt=1/100&split=1..7", "corrupt=1/100&reset-after=4000"];
    let server = Faulty::start("tcp", &faults, &[]);
    let addresses = [0, 1, 2].map(|index| server.address(index));
    let seen = python_sees(addresses.into_iter().map(|address| (address, 5_000, "")));
    let records = server.records();
    for ((address, seen), faults) in addresses.iter().zip(&seen).zip(faults) {
        assert!(seen.wrong.len() > 10, "{faults}: {seen:?}");
        let of = |record: &&FaultRecord| {
            record.listener == address.to_string() && record.act.fault == Fault::Corrupt
        };
        let offsets: Vec<u64> = records.iter().filter(of).map(|record| record.act.offset).collect();
        assert_eq!(seen.wrong, offsets, "{faults}");
    }
}

/// Runs curl with a body for an HTTP listener.
fn run_curl(address: SocketAddr, args: &str) -> Finished {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--data-binary", "@-"]);
    command.args(args.split_whitespace()).arg(format!("http://{address}/"));
    run(command, &[b'x'; 4_000])
}

#[test]
fn curl_names_each_fault() {
    if skip_without(&[curl()]) {
        return;
    }
    let cases = [
        ("reset-after=1000", "", 56, "Connection reset by peer"),
        ("close-after=1000", "", 18, "transfer closed with"),
        ("close-after=0", "", 52, "Empty reply from server"),
        ("truncate=1000", "--max-time 2", 28, "Operation timed out"),
        ("delay=1h", "--max-time 2", 28, "Operation timed out"),
        ("stall-after=1000:1h", "--max-time 2", 28, "Operation timed out"),
        ("delay=100ms&split=1..7", "", 0, ""),
    ];
    let server = Faulty::start("http", &cases.map(|(faults, ..)| faults), &[]);
    for (index, (faults, args, status, error)) in cases.into_iter().enumerate() {
        let finished = run_curl(server.address(index), args);
        assert_eq!(finished.code(), status, "{faults}: {}", finished.stderr);
        assert!(finished.stderr.contains(error), "{faults}: {}", finished.stderr);
    }
}

#[test]
fn curl_sees_a_refused_connection_as_one_that_failed_or_was_reset_and_may_retry() {
    if skip_without(&[curl()]) {
        return;
    }
    let server = Faulty::start("http", &["refuse=100%", "refuse=50%"], &[]);
    let finished = run_curl(server.address(0), "");
    // The reset arrives before curl has looked at its new connection, or while it sends, or while it waits.
    assert!([7, 55, 56].contains(&finished.code()), "{}: {}", finished.code(), finished.stderr);
    // With this seed, the first connection is refused and the second one is not.
    let finished = run_curl(server.address(1), "--retry 1 --retry-all-errors --retry-delay 1");
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let refused: Vec<_> =
        server.records().iter().map(|record| (record.act.fault, record.connection)).collect();
    assert_eq!(refused, [(Fault::Refuse, 0); 2]);
}

#[test]
fn nc_sees_the_end_of_a_stream_and_times_out() {
    if skip_without(&[nc()]) {
        return;
    }
    let cases = [
        ("close-after=1000", &["-N"][..], &[1_000][..]),
        ("half-close-after=1000", &["-N"], &[1_000]),
        // With -N, the half-close of a connection that is reset already ends nc before it has read everything. When the reset
        // arrives before nc has looked at its socket, nc reads nothing.
        ("reset-after=1000", &[], &[0, 1_000]),
        ("truncate=1000", &["-N"], &[1_000]),
        ("stall-after=1000:1h", &["-w", "2"], &[1_000]),
        ("delay=50ms&drip=100B/5ms", &["-N"], &[4_000]),
    ];
    let server = Faulty::start("tcp", &cases.map(|(faults, ..)| faults), &["--drain-timeout=0s"]);
    for (index, (faults, args, received)) in cases.into_iter().enumerate() {
        let address = server.address(index);
        let mut command = Command::new("nc");
        command.args(args).args([address.ip().to_string(), address.port().to_string()]);
        let finished = run(command, &[b'\n'; 4_000]);
        let count = finished.stdout.len();
        assert!(received.contains(&count), "{faults}: {count} bytes, {}", finished.stderr);
        assert!(finished.stdout.iter().all(|&byte| byte == b'\n'), "{faults}");
    }
}
