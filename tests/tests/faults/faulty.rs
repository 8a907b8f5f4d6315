//! A server with faults, and its record of them.

use std::{fs, net::SocketAddr, path::PathBuf};

use common::fault::FaultRecord;
use rustix::process::Signal;
use tempfile::TempDir;
use tests::programs::{EchoServer, Launch, Program};

/// A running server with a fault log.
pub(crate) struct Faulty {
    pub(crate) process: EchoServer,
    directory: TempDir,
}

impl Faulty {
    /// Starts a server with a listener of this scheme for each of the faults, and with further arguments.
    pub(crate) fn start(scheme: &str, faults: &[&str], args: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = |faults: &&str| match faults.len() {
            0 => format!("--listen={scheme}://127.0.0.1:0"),
            _ => format!("--listen={scheme}://127.0.0.1:0?fault-seed=7&{faults}"),
        };
        let log = format!("--fault-log={}", directory.path().join("faults").display());
        let admin = "--admin=http://127.0.0.1:0".to_owned();
        let own = faults.iter().map(listener).chain([log, admin]);
        let args: Vec<String> = own.chain(args.iter().map(|&arg| arg.to_owned())).collect();
        Self { process: Launch::new(&args).without_port().start(), directory }
    }

    /// Returns the path of its fault log.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("faults")
    }

    /// Returns the address of its listener with this index.
    pub(crate) fn address(&self, index: usize) -> SocketAddr {
        let address = self.process.addresses()[index].rsplit('/').next().unwrap_or_default();
        address.parse().unwrap_or_else(|error| panic!("{error}: {address:?}"))
    }

    /// Runs `echo-server faults` with these arguments for the first listener.
    pub(crate) fn change(&self, args: &[&str]) {
        let line = self.process.log().wait_for_line("Admin listener started on http://");
        let admin = line.rsplit(' ').next().expect("a last word");
        let (command, rest) = args.split_first().expect("a command");
        let listener = &self.process.addresses()[0];
        let args = [&["faults", command, "--admin", admin, "--listener", listener], rest].concat();
        let finished = Program::run_server(&args);
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
    }

    /// Ends the server, and returns its records.
    pub(crate) fn records(self) -> Vec<FaultRecord> {
        self.process.signal(Signal::TERM);
        self.ended_records()
    }

    /// Waits until the server ends, and returns its records.
    pub(crate) fn ended_records(self) -> Vec<FaultRecord> {
        let (status, log) = self.process.wait_with_log();
        assert!(status.success(), "{log}");
        let text = fs::read_to_string(self.directory.path().join("faults")).expect("it exists");
        let record = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        text.lines().map(record).collect()
    }
}
