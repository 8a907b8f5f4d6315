//! A run of `echo-client load`: its processes, what it prints, and its report in JSON.

use std::{fmt, fs, net::SocketAddr, path::PathBuf};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    binaries, log,
    process::Handle,
    procfs,
    program::{Finished, Program},
};

/// A run that is under way; it is killed when this is dropped.
#[derive(Debug)]
pub struct Load {
    /// The parent of the run's processes.
    pub program: Program,
    directory: TempDir,
}

/// A run that has ended.
pub struct Report {
    /// How, and what it printed.
    pub ended: Finished,
    /// Its report in JSON, if it wrote one.
    pub json: Option<Value>,
}

impl Load {
    /// Starts a run against `server` with these arguments, separated by spaces, besides.
    #[must_use]
    pub fn start(server: SocketAddr, args: &str) -> Self {
        Self::start_by(Program::client, server, args)
    }

    /// As [`Load::start`], in a process group of its own: Ctrl+C in the terminal is not for it.
    #[must_use]
    pub fn start_apart(server: SocketAddr, args: &str) -> Self {
        Self::start_by(Program::client_apart, server, args)
    }

    /// As [`Load::start`], against a server that has a URL.
    #[must_use]
    pub fn at(url: &str, args: &str) -> Self {
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
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let json = json_file(&directory);
        let json = json.to_str().expect("its name is ours");
        let args: Vec<&str> = args.split_whitespace().collect();
        let program = client(&[&["load", "--json", json], &args[..]].concat());
        Self { program, directory }
    }

    /// Its processes.
    #[must_use]
    pub fn processes(&self) -> Vec<Handle> {
        procfs::children(self.program.pid()).into_iter().filter_map(Handle::open).collect()
    }

    /// Waits for it to end by itself.
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
    /// A run from its start to its end; see [`Load::start`].
    #[must_use]
    pub fn of(server: SocketAddr, args: &str) -> Self {
        Load::start(server, args).finish()
    }

    /// The same against a server that has a URL.
    #[must_use]
    pub fn at(url: &str, args: &str) -> Self {
        Load::at(url, args).finish()
    }

    /// Expects that every byte came back.
    ///
    /// Whether the client was the limit besides is a matter of what else the machine does: that it
    /// says so is right, and its status agrees with its verdict.
    #[track_caller]
    pub fn expect_well(&self) {
        let well = [(0, "VALID"), (4, "CLIENT-LIMITED")];
        assert!(well.contains(&(self.code(), self.verdict())), "{self:?}");
        assert!(self.prints(&format!(r"^{}\b", self.verdict())), "{self:?}");
        assert_eq!(self.json("/lost"), 0, "{self:?}");
        assert_eq!(self.ended.stderr, "", "{self:?}");
    }

    /// Expects that it has failed, by its status and in all its words.
    #[track_caller]
    pub fn expect_failure(&self) {
        assert_eq!((self.code(), self.verdict()), (1, "FAILED"), "{self:?}");
        assert!(self.prints(r"^FAILED\b"), "{self:?}");
    }

    /// The exit status.
    #[track_caller]
    #[must_use]
    pub fn code(&self) -> i32 {
        self.ended.code()
    }

    /// Whether the printed report has something like `pattern`, in capitals or not.
    #[must_use]
    pub fn prints(&self, pattern: &str) -> bool {
        prints(self.ended.stdout_text(), pattern)
    }

    /// A figure or a word of the report in JSON, by the path to it (RFC 6901).
    #[track_caller]
    #[must_use]
    pub fn json(&self, path: &str) -> &Value {
        let json = self.json.as_ref().unwrap_or_else(|| panic!("no report in JSON: {self:?}"));
        json.pointer(path).unwrap_or_else(|| panic!("no {path} in {json:#}"))
    }

    /// The run's verdict on itself.
    #[track_caller]
    #[must_use]
    pub fn verdict(&self) -> &str {
        self.json("/verdict").as_str().unwrap_or_else(|| panic!("no word: {self:?}"))
    }

    /// How many messages came back, every byte as it was sent.
    #[track_caller]
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.json("/messages").as_u64().unwrap_or_else(|| panic!("no number: {self:?}"))
    }

    /// A percentile of the latency, such as `p99`, in milliseconds.
    #[track_caller]
    #[must_use]
    pub fn latency_ms(&self, percentile: &str) -> f64 {
        let ns = self.json(&format!("/latency/{percentile}_ns"));
        ns.as_f64().unwrap_or_else(|| panic!("no number: {self:?}")) / 1e6
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.ended)
    }
}

/// Whether a text has something like `pattern` (see [`log::pattern`]), in capitals or not; `^` and `$`
/// are the ends of a line.
#[must_use]
pub fn prints(text: &str, pattern: &str) -> bool {
    let pattern: Regex = log::pattern(&format!("(?im){pattern}"));
    pattern.is_match(text)
}
