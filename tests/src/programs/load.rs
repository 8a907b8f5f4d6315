//! A run of `echo-client load`: its processes, its output and its report in JSON.

use std::{fmt, fs, net::SocketAddr, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    binaries,
    program::{Finished, Program},
};
use crate::{
    log,
    system::{process::Handle, procfs},
};

/// Running load test. Dropping this kills it.
#[derive(Debug)]
pub struct Load {
    /// The parent process.
    pub program: Program,
    directory: TempDir,
}

/// Load test that has ended.
pub struct Report {
    /// Its exit status and its output.
    pub ended: Finished,
    /// Its report in JSON, if it has written one.
    pub json: Option<Value>,
}

impl Load {
    /// Starts a run against `server` with these further arguments, separated by spaces.
    #[must_use]
    pub fn start(server: SocketAddr, args: &str) -> Self {
        Self::start_by(Program::client, server, args)
    }

    /// Like [`Load::start`], in its own process group, so that Ctrl+C in the terminal does not reach it.
    #[must_use]
    pub fn start_in_own_process_group(server: SocketAddr, args: &str) -> Self {
        Self::start_by(Program::client_in_own_process_group, server, args)
    }

    /// Like [`Load::start`], for the URL of a server.
    #[must_use]
    pub fn at_url(url: &str, args: &str) -> Self {
        Self::start_with(
            |load| {
                Program::start(binaries::echo_client(), &[&load[..1], &[url], &load[1..]].concat())
            },
            args,
        )
    }

    fn start_by(
        client: impl FnOnce(SocketAddr, &[&str]) -> Program,
        server: SocketAddr,
        args: &str,
    ) -> Self {
        Self::start_with(|load| client(server, load), args)
    }

    fn start_with(client: impl FnOnce(&[&str]) -> Program, args: &str) -> Self {
        let directory = tempfile::tempdir().expect("temporary files can be created");
        let json = json_file(&directory);
        let json = json.to_str().expect("the path is UTF-8");
        let args: Vec<&str> = args.split_whitespace().collect();
        let program = client(&[&["load", "--json", json], &args[..]].concat());
        Self { program, directory }
    }

    /// Returns its worker processes.
    #[must_use]
    pub fn processes(&self) -> Vec<Handle> {
        procfs::children(self.program.pid()).into_iter().filter_map(Handle::open).collect()
    }

    /// Waits until it ends by itself.
    #[must_use]
    pub fn finish(self) -> Report {
        let ended = self.program.finish();
        let json = fs::read(json_file(&self.directory)).ok();
        let json = json.filter(|json| !json.is_empty());
        let json = json.map(|json| serde_json::from_slice(&json).expect("a report is JSON"));
        Report { ended, json }
    }
}

fn json_file(directory: &TempDir) -> PathBuf {
    directory.path().join("report.json")
}

impl Report {
    /// Runs a load test to its end; see [`Load::start`].
    #[must_use]
    pub fn run(server: SocketAddr, args: &str) -> Self {
        Load::start(server, args).finish()
    }

    /// Like [`Report::run`], for the URL of a server.
    #[must_use]
    pub fn at_url(url: &str, args: &str) -> Self {
        Load::at_url(url, args).finish()
    }

    /// Expects that every byte has returned, and that the exit status agrees with the verdict.
    ///
    /// On a busy machine the client may be the limit, or seem to be in a run that is too short to judge, so
    /// CLIENT-LIMITED and UNKNOWN are successes as well.
    #[track_caller]
    pub fn expect_success(&self) {
        let successes = [(0, "VALID"), (0, "UNKNOWN"), (4, "CLIENT-LIMITED")];
        assert!(successes.contains(&(self.code(), self.verdict())), "{self:?}");
        assert!(self.prints(&format!(r"^{}\b", self.verdict())), "{self:?}");
        assert_eq!(self.json("/lost"), 0, "{self:?}");
        assert_eq!(self.ended.stderr, "", "{self:?}");
    }

    /// Expects a failure in the exit status, the verdict and the output.
    #[track_caller]
    pub fn expect_failure(&self) {
        assert_eq!((self.code(), self.verdict()), (1, "FAILED"), "{self:?}");
        assert!(self.prints(r"^FAILED\b"), "{self:?}");
    }

    /// Returns the exit status.
    #[track_caller]
    #[must_use]
    pub fn code(&self) -> i32 {
        self.ended.code()
    }

    /// Returns true if the printed report matches a pattern; see [`log::matches`].
    #[must_use]
    pub fn prints(&self, pattern: &str) -> bool {
        log::matches(self.ended.stdout_text(), pattern)
    }

    /// Returns a value of the report in JSON by its pointer (RFC 6901).
    #[track_caller]
    #[must_use]
    pub fn json(&self, path: &str) -> &Value {
        let json = self.json.as_ref().unwrap_or_else(|| panic!("no report in JSON: {self:?}"));
        json.pointer(path).unwrap_or_else(|| panic!("no {path} in {json:#}"))
    }

    /// Returns the verdict.
    #[track_caller]
    #[must_use]
    pub fn verdict(&self) -> &str {
        self.json("/verdict").as_str().unwrap_or_else(|| panic!("not a string: {self:?}"))
    }

    /// Returns the number of messages that returned without a wrong byte.
    #[track_caller]
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.json("/messages").as_u64().unwrap_or_else(|| panic!("not a number: {self:?}"))
    }

    /// Returns a percentile of the latency, such as `p99`, in milliseconds.
    #[track_caller]
    #[must_use]
    pub fn latency_ms(&self, percentile: &str) -> f64 {
        let ns = self.json(&format!("/latency/{percentile}_ns"));
        ns.as_f64().unwrap_or_else(|| panic!("not a number: {self:?}")) / 1e6
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.ended)
    }
}
