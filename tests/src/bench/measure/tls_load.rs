//! The load over TLS: `echo-client load` in a separate process, which checks every byte.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::server::sibling;

/// Exit status of a load that the client has limited, which is no failure here.
const CLIENT_LIMITED: i32 = 4;

/// What each connection does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Traffic {
    /// It sends a message of this size, waits for the echo, and repeats.
    Closed { size: usize },
    /// It sends its share of this many messages of 64 bytes per second.
    Rate(usize),
    /// It sends one message, waits for the echo, and closes. The next connection resumes its session or makes a full
    /// handshake.
    Churn { resume: bool },
}

/// Load of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct TlsShape {
    pub processes: usize,
    /// Number of connections of all processes.
    pub connections: usize,
    pub traffic: Traffic,
    pub warm_up: Duration,
    pub duration: Duration,
}

/// Running load. Dropping this interrupts it.
pub(super) struct TlsLoad {
    process: Child,
    directory: TempDir,
}

impl TlsLoad {
    /// Starts a load on the server at this port, whose certificate is of the CA in this file.
    pub(super) fn start(port: u16, ca: &str, shape: TlsShape) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(sibling("echo-client")?);
        command.args(["load", &format!("tls://localhost:{port}"), "--tls-ca", ca, "--quiet"]);
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        let per_process = shape.connections / shape.processes;
        for (name, value) in [
            ("--processes", shape.processes.to_string()),
            ("--connections", per_process.to_string()),
            ("--warmup", milliseconds(shape.warm_up)),
            ("--duration", milliseconds(shape.duration)),
        ] {
            command.arg(name).arg(value);
        }
        match shape.traffic {
            Traffic::Closed { size } => command.arg("--size").arg(size.to_string()),
            Traffic::Rate(rate) => command.arg("--rate").arg(rate.to_string()),
            Traffic::Churn { resume } => {
                let resume = if resume { "on" } else { "off" };
                command.args(["--churn", "1", "--tls-resume", resume])
            }
        };
        command.arg("--json").arg(directory.path().join("report.json"));
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run echo-client")?;
        Ok(Self { process, directory })
    }

    /// Waits for the end of the load and returns the report.
    pub(super) fn report(mut self) -> anyhow::Result<Value> {
        let status = self.process.wait()?;
        let path: PathBuf = self.directory.path().join("report.json");
        let report = std::fs::read(path).context("echo-client load has failed")?;
        let report: Value = serde_json::from_slice(&report)?;
        ensure!(
            status.success() || status.code() == Some(CLIENT_LIMITED),
            "echo-client load has failed: {}",
            report["reason"]
        );
        Ok(report)
    }
}

impl Drop for TlsLoad {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            // Its worker processes end with it.
            let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
            let _ = self.process.wait();
        }
    }
}
