//! Where a fault is on record.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use common::fault::{Fault, FaultRecord};
use rustix::{
    fs::{CWD, Mode, OFlags, mkfifoat, openat},
    process::Signal,
};
use serde_json::Value;
use tempfile::TempDir;
use tests::{
    net::Peer,
    programs::{EchoServer, Program, binaries},
    wait::wait_until,
};

use crate::faulty::Faulty;

/// Returns the answer of the admin listener.
fn get(server: &EchoServer, path: &str) -> String {
    let line = server.log().wait_for_line("Admin listener started on http://");
    let (_, address) = line.rsplit_once("http://").expect("it has an address");
    let address = address.split('"').next().expect("a first part");
    let mut admin = Peer::connect(address.parse().expect("an address"));
    admin.send(
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
    );
    String::from_utf8(admin.read_to_end()).expect("it is text")
}

#[test]
fn a_fault_is_in_the_log_the_metrics_the_receipts_the_list_and_the_fault_log() {
    let args = ["--log-format=json", "--log-receipts=on"];
    let server = Faulty::start("tcp", &["delay=1ms&receipt=on"], &args);
    let mut peer = server.process.connect();
    peer.exchange(b"hello\n");
    let list = get(&server.process, "/connections");
    assert!(list.contains(r#""fault_seed":7,"fault_connection":0}"#), "{list}");
    drop(peer);
    let url = format!("tcp://{}", server.address(0));
    let mut client = Program::start(binaries::echo_client(), &[&url[..], "--receipt"]);
    client.feed_all(b"hello\n".to_vec());
    let finished = client.finish();
    let words = "; the server injects faults on purpose (seed 7, connection 1)";
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(finished.stderr.contains(words), "{}", finished.stderr);
    let closed = server.process.log().wait_for_lines(r#""event":"closed""#, 2);
    for (number, line) in closed.iter().enumerate() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&event["fault_seed"], &event["fault_connection"]), (&7.into(), &number.into()));
        let words = format!("; faults of seed 7, connection {number}");
        assert!(event["message"].as_str().is_some_and(|text| text.contains(&words)), "{line}");
    }
    let faults = server.process.log().wait_for_lines(r#""event":"fault""#, 2);
    let event: Value = serde_json::from_str(&faults[0]).expect("JSON");
    for (field, value) in [
        ("fault", Value::from("delay")),
        ("direction", "received".into()),
        ("offset", 0.into()),
        ("bytes", 6.into()),
        ("delay_ns", 1_000_000.into()),
        ("fault_seed", 7.into()),
        ("fault_connection", 0.into()),
    ] {
        assert_eq!(event[field], value, "{field}: {event}");
    }
    let metrics = get(&server.process, "/metrics");
    let records = server.records();
    let of = |fault: &str| {
        let series = format!(r#",fault="{fault}"}} "#);
        let line = metrics
            .lines()
            .find(|line| line.starts_with("echo_faults_total{") && line.contains(&series));
        line.and_then(|line| line.rsplit(' ').next()).expect("a sample").to_owned()
    };
    assert_eq!((of("delay"), of("drop")), (records.len().to_string(), "0".to_owned()));
    assert!(records.iter().all(|record| record.seed == 7 && record.act.fault == Fault::Delay));
    assert_eq!(records[0].connection, 0);
    assert_eq!(records[0].listener, url.trim_start_matches("tcp://"));
}

#[test]
fn a_hangup_reopens_the_fault_log() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [path, old] = ["faults", "faults.1"].map(|name| directory.path().join(name));
    let log = format!("--fault-log={}", path.display());
    let server = EchoServer::start_with(&["--listen=tcp://127.0.0.1:0?close-after=3", &log]);
    let records = |path| fs::read_to_string(path).unwrap_or_default().lines().count();
    let fail = || {
        let mut peer = server.connect();
        peer.send(b"hello\n");
        peer.expect_to_end(b"hel");
    };
    fail();
    wait_until("the first record is written", || records(&path) == 1);
    fs::rename(&path, &old).expect("it exists");
    server.signal(Signal::HUP);
    wait_until("the file is there again", || path.exists());
    fail();
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert_eq!((records(&old), records(&path)), (1, 1));
    let text = fs::read_to_string(&path).expect("it exists");
    let record: FaultRecord = serde_json::from_str(&text).expect("a record");
    assert_eq!((record.connection, record.act.offset), (1, 3));
}

#[test]
fn a_fault_log_that_cannot_be_written_affects_no_client_and_is_reported() {
    let listen = "--listen=tcp://127.0.0.1:0?delay=1ms";
    let server = EchoServer::start_with(&[listen, "--fault-log=/dev/full"]);
    let mut peer = server.connect();
    peer.exchange(b"hello\n");
    server.wait_for_log("ERROR - Cannot write the fault log /dev/full: no space left on device");
    peer.exchange(b"hello\n");
    drop(peer);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    let lost = "records of injected faults are missing in the fault log /dev/full";
    assert!(log.contains(lost), "{log}");
    let nowhere = Program::run_server(&["--port=0", "--fault-log=/nowhere/faults"]);
    assert_eq!(nowhere.code(), 1);
    let error = "Error: cannot write the fault log /nowhere/faults: no such file or directory\n";
    assert!(nowhere.stderr.ends_with(error), "{}", nowhere.stderr);
}

/// Creates a FIFO, and returns its path.
fn fifo(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("the directory is writable");
    path
}

/// Opens a FIFO for reading, without waiting for its writer.
fn open_reader(fifo: &Path) -> OwnedFd {
    openat(CWD, fifo, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .expect("it exists")
}

#[test]
fn a_fault_log_that_takes_nothing_is_reported_when_records_begin_to_be_lost_and_at_the_end() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = fifo(&directory);
    let _reader = open_reader(&path);
    let log = format!("--fault-log={}", path.display());
    let server = EchoServer::start_with(&["--listen=tcp://127.0.0.1:0?duplicate=100%", &log]);
    let mut peer = server.connect();
    // The queue has room for fewer records.
    let lines = b"x\n".repeat(80_000);
    let sender = peer.send_in_background(lines.clone());
    peer.expect(&lines.repeat(2));
    sender.join().expect("it does not panic").expect("the server reads");
    server.wait_for_log("ERROR - The fault log .*/fifo has taken nothing for a second");
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert_eq!(log.matches("has taken nothing").count(), 1, "one line for a loss");
    let lost = log.lines().find_map(|line| {
        let count = line.split_once("ERROR - Up to ")?.1;
        count
            .split_once(" records of injected faults are missing in the fault log ")?
            .0
            .parse()
            .ok()
    });
    // The pipe holds 64 KiB of them.
    assert!(lost.is_some_and(|lost: u64| (79_000..=80_000).contains(&lost)), "{lost:?}");
}

#[test]
fn an_error_of_a_fifo_names_its_missing_reader() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = fifo(&directory);
    let log = format!("--fault-log={}", path.display());
    let refused = Program::run_server(&["--port=0", &log]);
    assert_eq!(refused.code(), 1);
    let error = "fifo: it is a FIFO without a reader; start its reader first\n";
    assert!(refused.stderr.ends_with(error), "{}", refused.stderr);
    let reader = open_reader(&path);
    let server = EchoServer::start_with(&["--listen=tcp://127.0.0.1:0?delay=1ms", &log]);
    drop(reader);
    server.connect().exchange(b"hello\n");
    let line = server.log().wait_for_line("Cannot write the fault log");
    assert!(
        line.ends_with("it is a FIFO, and its reader has ended; start a reader again"),
        "{line}"
    );
}
