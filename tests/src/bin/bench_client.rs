//! `bench-client`: compares `echo-client load` with `bare-load`, a load loop without checks.
//!
//! Over TCP, the bare loop is one on epoll with `recv` and `send`; over UDP, one with `recvmmsg` and `sendmmsg`. Both run alternately against the same `bare-echo` server, so that other activity on the machine affects
//! both. The program compares the medians of the rounds: the message rate, and the CPU time per message,
//! which shows the difference even if the server limits the rate of both.
//!
//! It runs the programs in its own directory: build them before.

use std::{
    env,
    fmt::Display,
    fs,
    io::{self, BufRead as _, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use common::cli::{
    positive_duration,
    status::{FAILED, SUCCESS},
};
use serde_json::Value;

/// Exit status of a load that the client has limited.
const CLIENT_LIMITED: i32 = 4;

/// Compare `echo-client load` with a load loop without checks
#[derive(Debug, Parser)]
struct Args {
    /// Number of rounds, each with a run of both programs
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Duration of each run, such as 500ms or 3s
    #[arg(long, default_value = "3s", value_parser = positive_duration)]
    duration: Duration,

    /// Run only the cases over this
    #[arg(long, value_enum)]
    only: Option<Transport>,

    /// Number of connections over TCP
    #[arg(long, default_value_t = 50)]
    connections: u32,

    /// Size of a message in bytes
    #[arg(long, default_value_t = 64)]
    size: u32,

    /// Numbers of messages in flight on each connection over TCP; each number is a separate case
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32])]
    depth: Vec<u32>,

    /// Exit with status 1 if the rate of the client is below this share of the rate of the bare loop
    #[arg(long, value_name = "SHARE")]
    at_least: Option<f64>,
}

/// What carries the messages of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    Tcp,
    Udp,
}

/// Load of a case.
struct Case {
    transport: Transport,
    /// Number of connections, or of sockets.
    connections: u32,
    /// Number of messages in flight on each.
    depth: u32,
}

/// Numbers of sockets, and of datagrams in flight on each, over UDP.
const UDP: [(u32, u32); 3] = [(1, 1), (8, 16), (32, 32)];

/// Result of one run.
struct Run {
    /// Messages per second.
    rate: f64,
    /// CPU time of the client per message, in microseconds.
    cpu_us: f64,
}

/// Median, minimum and maximum of the rounds.
struct Summary {
    median: f64,
    min: f64,
    max: f64,
}

/// Server of both loads; dropping it ends the process.
struct BareEcho {
    process: Child,
    port: String,
    /// The server exits when this is closed.
    stdin: Option<ChildStdin>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut is_fast_enough = true;
    let tcp = args.depth.iter().map(|&depth| (Transport::Tcp, args.connections, depth));
    let udp = UDP.iter().map(|&(sockets, depth)| (Transport::Udp, sockets, depth));
    for (transport, connections, depth) in tcp.chain(udp) {
        if args.only.is_some_and(|only| only != transport) {
            continue;
        }
        let share = compare(&args, &Case { transport, connections, depth })?;
        is_fast_enough &= args.at_least.is_none_or(|min| share >= min);
    }
    Ok(if is_fast_enough { SUCCESS } else { FAILED }.into())
}

/// Runs and prints one case; returns the ratio of the client's rate to the rate of the bare loop.
fn compare(args: &Args, case: &Case) -> anyhow::Result<f64> {
    let mut out = io::stdout().lock();
    let duration = format!("{}ms", args.duration.as_millis());
    writeln!(
        out,
        "{} {} x {} bytes, depth {}: {} rounds of {duration} each",
        case.connections,
        if case.transport == Transport::Udp { "UDP sockets" } else { "connections" },
        args.size,
        case.depth,
        args.rounds,
    )?;
    let server = BareEcho::start(case.transport)?;
    let mut bare = Vec::new();
    let mut client = Vec::new();
    for _ in 0..args.rounds {
        bare.push(run_bare(args, case, &duration, &server.port)?);
        client.push(run_client(args, case, &duration, &server.port)?);
    }

    writeln!(out, "{:34}{:>12}{:>12}{:>12}", "", "median", "min", "max")?;
    let share = row_pair(&mut out, "messages/s", 0, &bare, &client, |run| run.rate)?;
    row_pair(&mut out, "client CPU, us/message", 3, &bare, &client, |run| run.cpu_us)?;
    writeln!(out)?;
    Ok(share)
}

/// Prints one figure of both programs and the ratio of their medians; returns the ratio.
fn row_pair(
    out: &mut impl Write,
    what: &str,
    decimals: usize,
    bare: &[Run],
    client: &[Run],
    figure: impl Fn(&Run) -> f64,
) -> anyhow::Result<f64> {
    let [bare, client] = [bare, client].map(|runs| Summary::of(runs.iter().map(&figure)));
    for (name, summary) in [("bare-load", &bare), ("echo-client load", &client)] {
        let Summary { median, min, max } = summary;
        let figures = [median, min, max].map(|value| format!("{value:>12.decimals$}")).concat();
        writeln!(out, "  {what:<24}{name:<17}{figures}")?;
    }
    let ratio = client.median / bare.median;
    writeln!(out, "  {what:<24}{:<17}{ratio:>12.3}", "client / bare")?;
    Ok(ratio)
}

fn run_bare(args: &Args, case: &Case, duration: &str, port: &str) -> anyhow::Result<Run> {
    let mut command = Command::new(sibling("bare-load")?);
    command.args(["--port", port, "--duration", duration]);
    options(
        &mut command,
        [("--connections", &case.connections), ("--size", &args.size), ("--depth", &case.depth)],
    );
    if case.transport == Transport::Udp {
        // A batch of one costs more than a single datagram.
        command.args(["--udp", if case.depth == 1 { "single" } else { "batch" }]);
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run bare-load")?;
    ensure!(output.status.success(), "bare-load failed: {}", output.status);
    Run::from_report(&serde_json::from_slice(&output.stdout)?)
}

fn run_client(args: &Args, case: &Case, duration: &str, port: &str) -> anyhow::Result<Run> {
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report.json");
    let mut command = Command::new(sibling("echo-client")?);
    command.args(["load", "--port", port, "--duration", duration, "--processes", "1", "--quiet"]);
    command.arg("--json").arg(&report);
    options(
        &mut command,
        [("--connections", &case.connections), ("--size", &args.size), ("--pipeline", &case.depth)],
    );
    if case.transport == Transport::Udp {
        command.arg("--udp");
    }
    let status = command.stdout(Stdio::null()).status().context("cannot run echo-client")?;
    // The benchmark drives the client to its limit, so this status is no failure.
    ensure!(
        status.success() || status.code() == Some(CLIENT_LIMITED),
        "echo-client load failed: {status}"
    );
    Run::from_report(&serde_json::from_slice(&fs::read(report)?)?)
}

fn options(command: &mut Command, options: [(&str, &dyn Display); 3]) {
    for (name, value) in options {
        command.arg(name).arg(value.to_string());
    }
}

/// Path of a program in the directory of this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?.with_file_name(name);
    ensure!(program.exists(), "{} does not exist; build it before", program.display());
    Ok(program)
}

impl Run {
    /// Reads a JSON report; `bare-load` uses the same keys as `echo-client load`.
    fn from_report(report: &Value) -> anyhow::Result<Self> {
        let figure = |pointer: &str| {
            let value = report.pointer(pointer).and_then(Value::as_f64);
            value.with_context(|| format!("the report has no number at {pointer}"))
        };
        let cpu_us = figure("/client_cpu/seconds")? / figure("/messages")? * 1e6;
        Ok(Self { rate: figure("/rate")?, cpu_us })
    }
}

impl Summary {
    /// Summarizes at least one figure.
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Self { median, min: figures[0], max: figures[figures.len() - 1] }
    }
}

impl BareEcho {
    fn start(transport: Transport) -> anyhow::Result<Self> {
        let mut command = Command::new(sibling("bare-echo")?);
        if transport == Transport::Udp {
            command.args(["--udp", "batch"]);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run bare-echo")?;
        let stdin = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("the stream is a pipe"))
            .read_line(&mut line)?;
        let port = line.trim_end().rsplit(':').next().expect("a split has a first part").to_owned();
        ensure!(!port.is_empty(), "bare-echo has not printed its address");
        Ok(Self { process, port, stdin })
    }
}

impl Drop for BareEcho {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.process.wait();
    }
}
