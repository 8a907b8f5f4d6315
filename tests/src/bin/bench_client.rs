//! `bench-client`: what `echo-client load` costs, next to a load loop that checks nothing.
//!
//! Both drive the same bare echo server, in turns, so that whatever else the machine does meets both.
//! The medians of the rounds are compared: by the rate, which is what a user sees, and by processor
//! time for each message, which says it even where the server was the limit of both.
//!
//! It runs the programs that are in its own directory: build them first.

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
use clap::Parser;
use common::cli::{
    positive_duration,
    status::{FAILED, SUCCESS},
};
use serde_json::Value;

/// The exit status of a client that was the limit itself.
const CLIENT_LIMITED: i32 = 4;

/// Compare `echo-client load` with a bare load loop that checks nothing
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds, each with a run of both
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How long each run takes, as 500ms or 3s
    #[arg(long, default_value = "3s", value_parser = positive_duration)]
    duration: Duration,

    /// How many connections
    #[arg(long, default_value_t = 50)]
    connections: u32,

    /// The bytes of a message
    #[arg(long, default_value_t = 64)]
    size: u32,

    /// How many messages are under way on each connection: a case for each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32])]
    depth: Vec<u32>,

    /// End with status 1 if the client drives less than this share of the bare loop's rate
    #[arg(long, value_name = "SHARE")]
    at_least: Option<f64>,
}

/// What one run came to.
struct Run {
    /// Messages in a second.
    rate: f64,
    /// The client's processor time for each message, in microseconds.
    cpu_us: f64,
}

/// The middle, the least and the most of some figures.
struct Summary {
    median: f64,
    least: f64,
    most: f64,
}

/// The server that both drive; it ends when this is dropped.
struct BareEcho {
    process: Child,
    port: String,
    /// It lives for as long as this is open.
    stdin: Option<ChildStdin>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut enough = true;
    for &depth in &args.depth {
        let share = compare(&args, depth)?;
        enough &= args.at_least.is_none_or(|least| share >= least);
    }
    Ok(if enough { SUCCESS } else { FAILED }.into())
}

/// Runs one case and prints it: the share of the bare loop's rate that the client drives.
fn compare(args: &Args, depth: u32) -> anyhow::Result<f64> {
    let mut out = io::stdout().lock();
    let duration = format!("{}ms", args.duration.as_millis());
    writeln!(
        out,
        "{} connections x {} bytes, depth {depth}: {} rounds of {duration} each",
        args.connections, args.size, args.rounds,
    )?;
    let server = BareEcho::start()?;
    let mut bare = Vec::new();
    let mut client = Vec::new();
    for _ in 0..args.rounds {
        bare.push(run_bare(args, depth, &duration, &server.port)?);
        client.push(run_client(args, depth, &duration, &server.port)?);
    }

    writeln!(out, "{:34}{:>12}{:>12}{:>12}", "", "median", "min", "max")?;
    let share = row_pair(&mut out, "messages/s", 0, &bare, &client, |run| run.rate)?;
    row_pair(&mut out, "client CPU, us/message", 3, &bare, &client, |run| run.cpu_us)?;
    writeln!(out)?;
    Ok(share)
}

/// Prints a figure of both and the ratio of their medians, which is returned.
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
        let Summary { median, least, most } = summary;
        let figures = [median, least, most].map(|value| format!("{value:>12.decimals$}")).concat();
        writeln!(out, "  {what:<24}{name:<17}{figures}")?;
    }
    let ratio = client.median / bare.median;
    writeln!(out, "  {what:<24}{:<17}{ratio:>12.3}", "client / bare")?;
    Ok(ratio)
}

fn run_bare(args: &Args, depth: u32, duration: &str, port: &str) -> anyhow::Result<Run> {
    let mut command = Command::new(sibling("bare-load")?);
    command.args(["--port", port, "--duration", duration]);
    options(
        &mut command,
        [("--connections", &args.connections), ("--size", &args.size), ("--depth", &depth)],
    );
    let output = command.stderr(Stdio::inherit()).output().context("cannot run bare-load")?;
    ensure!(output.status.success(), "bare-load has failed: {}", output.status);
    Run::from_report(&serde_json::from_slice(&output.stdout)?)
}

fn run_client(args: &Args, depth: u32, duration: &str, port: &str) -> anyhow::Result<Run> {
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report.json");
    let mut command = Command::new(sibling("echo-client")?);
    command.args(["load", "--port", port, "--duration", duration, "--processes", "1", "--quiet"]);
    command.arg("--json").arg(&report);
    options(
        &mut command,
        [("--connections", &args.connections), ("--size", &args.size), ("--pipeline", &depth)],
    );
    let status = command.stdout(Stdio::null()).status().context("cannot run echo-client")?;
    // It drives as much as it can here: its own limit is what is looked for, and no failure.
    ensure!(
        status.success() || status.code() == Some(CLIENT_LIMITED),
        "echo-client load has failed: {status}"
    );
    Run::from_report(&serde_json::from_slice(&fs::read(report)?)?)
}

fn options(command: &mut Command, options: [(&str, &dyn Display); 3]) {
    for (name, value) in options {
        command.arg(name).arg(value.to_string());
    }
}

/// A program that has been built along with this one.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?.with_file_name(name);
    ensure!(program.exists(), "{} is not there: build it first", program.display());
    Ok(program)
}

impl Run {
    /// What a report in JSON says: `bare-load` writes the same names as `echo-client load`.
    fn from_report(report: &Value) -> anyhow::Result<Self> {
        let figure = |pointer: &str| {
            let value = report.pointer(pointer).and_then(Value::as_f64);
            value.with_context(|| format!("the report has no figure {pointer}"))
        };
        let cpu_us = figure("/client_cpu/seconds")? / figure("/messages")? * 1e6;
        Ok(Self { rate: figure("/rate")?, cpu_us })
    }
}

impl Summary {
    /// Of at least one figure.
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Self { median, least: figures[0], most: figures[figures.len() - 1] }
    }
}

impl BareEcho {
    fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(sibling("bare-echo")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run bare-echo")?;
        let stdin = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let port = line.trim_end().rsplit(':').next().expect("a split has a first part").to_owned();
        ensure!(!port.is_empty(), "bare-echo does not say where it listens");
        Ok(Self { process, port, stdin })
    }
}

impl Drop for BareEcho {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.process.wait();
    }
}
