//! The load: `bare-load` in a process of its own, which begins and ends when it is told to.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::peer::sibling;

/// What connections do, and how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub mode: &'static str,
    pub connections: usize,
    pub size: usize,
    pub depth: usize,
    /// How long the same is done before it counts.
    pub warm_up: Duration,
}

/// A load client that runs; its connections are closed when this is dropped.
pub(crate) struct Load {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Load {
    /// Starts one, and waits until all its connections are made and warm.
    pub(crate) fn start(port: u16, shape: Shape, duration: Duration) -> anyhow::Result<Self> {
        let mut command = Command::new(sibling("bare-load")?);
        command.arg("--controlled").args(["--mode", shape.mode]);
        for (name, value) in [
            ("--port", port.to_string()),
            ("--connections", shape.connections.to_string()),
            ("--size", shape.size.to_string()),
            ("--depth", shape.depth.to_string()),
            ("--duration", format!("{}ms", duration.as_millis())),
            ("--warm-up", format!("{}ms", shape.warm_up.as_millis())),
        ] {
            command.arg(name).arg(value);
        }
        if shape.depth == 1 {
            command.arg("--latency");
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run bare-load")?;
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut load = Self { process, stdin, stdout };
        ensure!(load.line()?.trim() == "ready", "the load client cannot load it");
        Ok(load)
    }

    /// Has it begin.
    pub(crate) fn go(&mut self) -> anyhow::Result<()> {
        Ok(self.stdin.as_mut().expect("it is piped").write_all(b"go\n")?)
    }

    /// Waits for its end: what it says of the run.
    pub(crate) fn report(&mut self) -> anyhow::Result<Value> {
        let line = self.line()?;
        serde_json::from_str(&line).context("the load client has failed")
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.process.wait();
    }
}
