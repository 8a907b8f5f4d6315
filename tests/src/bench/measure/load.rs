//! The load: `bare-load` in a separate process, which begins and ends on command.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::server::sibling;
use crate::case::{Room, SENDERS};

/// Number of connections, and what each does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub mode: &'static str,
    pub connections: usize,
    pub size: usize,
    pub depth: usize,
    /// Messages per second of all connections together, on schedule; `None`: each waits for its echo.
    pub rate: Option<u32>,
    /// What carries a message: nothing, `websocket` or `http`.
    pub layer: Option<&'static str>,
    /// The connections are UDP sockets.
    pub udp: bool,
    /// The connections are members of this room, and speak this.
    pub room: Option<(Room, &'static str)>,
    /// Duration of the warm-up, which is not counted.
    pub warm_up: Duration,
}

/// Running load client. Dropping this closes its connections.
pub(crate) struct Load {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Load {
    /// Starts a load client, and waits until all connections are open and the warm-up has ended.
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
        if let Some(layer) = shape.layer {
            command.args(["--layer", layer]);
        }
        if shape.udp {
            // A batch of one costs more than a single datagram.
            command.args(["--udp", if shape.depth == 1 { "single" } else { "batch" }]);
        }
        if let Some((room, wire)) = shape.room {
            command.args(["--wire", wire, "--senders", &SENDERS.to_string()]);
            command.args(room.rate.map(|rate| format!("--rate={rate}")));
        }
        command.args(shape.rate.map(|rate| format!("--rate={rate}")));
        if shape.depth == 1 || shape.room.is_some() {
            command.arg("--latency");
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run bare-load")?;
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().expect("the stream is a pipe"));
        let mut load = Self { process, stdin, stdout };
        ensure!(load.line()?.trim() == "ready", "bare-load cannot load the server");
        Ok(load)
    }

    /// Starts the measurement.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        Ok(self.stdin.as_mut().expect("the stream is a pipe").write_all(b"go\n")?)
    }

    /// Waits for the end of the measurement and returns the report.
    pub(crate) fn report(&mut self) -> anyhow::Result<Value> {
        let line = self.line()?;
        serde_json::from_str(&line).context("bare-load has failed")
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line)
    }
}

/// Returns a number of a report by its pointer (RFC 6901).
pub(super) fn figure(report: &Value, pointer: &str) -> anyhow::Result<f64> {
    let figure = report.pointer(pointer).and_then(Value::as_f64);
    figure.with_context(|| format!("the report has no number {pointer}"))
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.process.wait();
    }
}
