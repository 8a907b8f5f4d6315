//! Regression tests: each doc comment describes the defect that the test has found or would find again.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use rustix::{
    net::{SendFlags, send},
    process::Signal,
};
use tempfile::tempdir;
use tests::{
    net::Peer,
    programs::{EchoServer, Launch, Program, binaries},
    requirements,
    wait::wait_until,
};

/// Stops the server, then sends a line with a byte of urgent data before its second half. A server that
/// continues finds all of it in its socket.
fn send_urgent(server: &EchoServer, peer: &mut Peer) {
    server.pause();
    peer.send(b"before ");
    send(peer.stream(), b"!", SendFlags::OOB).expect("the socket buffer has room");
    peer.send(b" after\n");
}

/// A read stops at the urgent mark. The server took the short read for the end of the available data, and
/// the echo stalled.
#[test]
fn echoes_the_bytes_after_urgent_data() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"first\n");
    send_urgent(&server, &mut peer);
    server.resume();
    peer.expect(b"before ! after\n");
}

/// A drain lost the bytes after the urgent mark.
#[test]
fn a_drain_echoes_the_bytes_after_urgent_data() {
    let server = EchoServer::start(&[]);
    let mut peer = server.connect();
    peer.exchange(b"first\n");
    send_urgent(&server, &mut peer);
    server.signal(Signal::TERM);
    server.resume();
    peer.expect_to_end(b"before ! after\n");
}

/// The acceptor waited for room in the dispatch queue after the workers had left at the drain deadline.
#[test]
fn a_drain_with_a_full_queue_ends_at_its_deadline() {
    let mut server = Launch::new(&["--drain-timeout", "0s", "--workers", "1"]).start();
    server.pause();
    // More than the queue holds; the kernel completes the connections without the server.
    let peers: Vec<_> = (0..1200).map(|_| server.connect()).collect();
    server.signal(Signal::TERM);
    server.resume();
    assert_eq!(server.wait().code(), Some(0));
    drop(peers);
}

/// After a stop of the process, the server closed clients as idle although bytes of theirs were waiting in
/// the sockets.
#[test]
fn a_stopped_server_keeps_clients_whose_bytes_are_waiting() {
    let server =
        EchoServer::start(&["--workers", "1", "--idle-timeout", "3s", "--log-messages", "off"]);
    let mut peers: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.exchange(b"first\n");
    }
    server.pause();
    for peer in &mut peers {
        peer.send(b"waiting\n");
    }
    // The idle timeout of a second server shows that more than the limit has passed.
    let clock = EchoServer::start(&["--idle-timeout", "3500ms"]);
    let _idle = clock.connect();
    clock.wait_for_log("timed out");
    server.resume();
    for peer in &mut peers {
        peer.expect(b"waiting\n");
    }
}

/// The first client ended a server with a time limit that exceeded the range of the clock.
#[test]
fn accepts_the_longest_time_limits() {
    let longest = "18446744073709551615s";
    let args = ["--idle-timeout", longest, "--write-timeout", longest, "--drain-timeout", longest];
    let server = EchoServer::start(&args);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    drop(peer);
    let (status, log) = server.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// `nohup` makes a process ignore SIGHUP. The server installed a handler, and the end of the terminal ended it.
#[test]
fn a_server_under_nohup_survives_a_hangup() {
    let server =
        Launch::new::<&str>(&[]).wrapped_by(&["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]);
    let server = server.start();
    let mut peer = server.connect();
    peer.exchange(b"before\n");
    server.signal(Signal::HUP);
    peer.exchange(b"after\n");
    drop(peer);
    server.connect().exchange(b"still accepting\n");
    let (status, _) = server.terminate();
    assert!(status.success());
}

/// A parent process with blocked signals left them blocked, so that only SIGKILL ended the programs.
#[test]
fn signals_that_the_parent_blocks_end_the_programs() {
    let block = "import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
os.execvp(sys.argv[1], sys.argv[1:])";
    if requirements::skip_without(&[requirements::tool("python3", &["-c", ""], "install python3")])
    {
        return;
    }
    let server = Launch::new::<&str>(&[]).wrapped_by(&["python3", "-c", block]).start();
    let address = server.address();
    let mut command = Command::new("python3");
    command.args(["-c", block]).arg(binaries::echo_client());
    command.args(["ping", "--interval", "10ms", &format!("tcp://{address}")]);
    let client = Program::spawn(command);
    server.wait_for_log("New client connected");
    client.signal(Signal::TERM);
    let _ = client.finish();
    let (status, _) = server.terminate();
    assert!(status.success());
}

/// A write beyond the limit on file sizes raises SIGXFSZ, which ended the server. The lost records were counted, but the
/// count appeared nowhere.
#[test]
fn the_limit_on_file_sizes_costs_log_records_and_not_the_server() {
    let directory = tempdir().expect("a temporary directory");
    let log = directory.path().join("echo.log");
    let server = with_full_log(&log);
    let (status, errors) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let written = fs::read_to_string(&log).expect("the log can be read").matches('\n').count();
    let lost = errors
        .split_once("Warning: ")
        .and_then(|(_, rest)| rest.split_once(" log records could not be written to "))
        .and_then(|(number, _)| number.parse::<usize>().ok());
    let lost = lost.unwrap_or_else(|| panic!("the lost records are not counted: {errors}"));
    // Each message is two records.
    assert!(written + lost >= 2 * MESSAGES, "{written} records are written, {lost} are lost");
}

/// The end of the cut record was written to the new file: an empty line.
#[test]
fn a_rotated_log_begins_with_a_record_after_the_old_one_was_full() {
    let directory = tempdir().expect("a temporary directory");
    let log = directory.path().join("echo.log");
    let server = with_full_log(&log);
    fs::rename(&log, directory.path().join("echo.log.1")).expect("the log can be renamed");
    server.signal(Signal::HUP);
    let read = || fs::read_to_string(&log).unwrap_or_default();
    wait_until("the server writes to the new log", || !read().is_empty());
    assert!(!read().starts_with('\n'), "{}", read());
    let (status, errors) = server.terminate();
    assert!(status.success(), "{errors}");
}

/// Number of messages that causes more log records than the log of [`with_full_log`] can hold.
const MESSAGES: usize = 2000;

/// Starts a server whose log is limited to a few KiB, and fills the log.
fn with_full_log(log: &Path) -> EchoServer {
    let args = ["--log-file", log.to_str().expect("the path is UTF-8")];
    let limited = ["sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"];
    let server = Launch::new(&args).wrapped_by(&limited).without_start_line().start();
    wait_until("the log names the port", || start_line(log).is_some());
    let mut peer = Peer::connect(start_line(log).expect("the log names the port"));
    for _ in 0..MESSAGES {
        peer.exchange(&[b'x'; 63].into_iter().chain([b'\n']).collect::<Vec<_>>());
    }
    server
}

fn start_line(log: &Path) -> Option<SocketAddr> {
    let text = fs::read_to_string(log).ok()?;
    text.lines().find_map(|line| line.split_once("started on ")?.1.parse().ok())
}

/// A number of passed sockets beyond the limit on descriptors allocated gigabytes.
#[test]
fn an_absurd_number_of_passed_sockets_is_refused() {
    let mut command = Command::new("sh");
    let script = "LISTEN_PID=$$ LISTEN_FDS=2147483647 exec \"$0\" --port 0";
    command.args(["-c", script]).arg(binaries::echo_server());
    let ended = Program::spawn(command).finish();
    assert_eq!(ended.code(), 1);
    assert!(ended.error_line().contains("LISTEN_FDS is 2147483647"), "{ended:?}");
}

/// Without a free descriptor `accept` fails also for an empty backlog: the drain lasted until its deadline.
#[test]
fn a_drain_without_a_free_descriptor_ends_without_clients() {
    let server =
        Launch::new(&["--workers", "1", "--drain-timeout", "1h", "--max-connections", "99"])
            .descriptor_limit(14);
    let server = server.start();
    let peers: Vec<_> = (0..8).map(|_| server.connect()).collect();
    server.wait_for_log("Cannot accept connections");
    drop(peers);
    let (status, _) = server.terminate();
    assert!(status.success());
}
