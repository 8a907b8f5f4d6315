//! `bench`: compares the server with a minimal echo server, the floor, and with other servers.
//!
//! In each round of each case, every server is started, loaded, measured and stopped, in an order that rotates from
//! round to round, so that other activity of the machine affects all of them. A result is the median of the rounds. A
//! ratio is the median of the ratios to the floor in the same round.
//!
//! | module | what it owns |
//! |---|---|
//! | [`case`] | the load on each server |
//! | [`peer`] | the servers, and a running server |
//! | [`load`] | the load client, in a separate process |
//! | [`run`] | one server under one load |
//! | [`usage`] | processor time and memory, as the kernel counts them |
//! | [`metric`] | the measured values and their format |
//! | [`results`] | medians, ranges, ratios |
//! | [`targets`] | the targets |
//! | [`report`], [`chart`], [`machine`] | the tables, the chart, and the machine of the measurement |
//!
//! It runs the programs in its own directory, so build them first.

mod case;
mod chart;
mod load;
mod machine;
mod metric;
mod peer;
mod report;
mod results;
mod run;
mod targets;
mod usage;

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use common::cli::{
    duration, positive_duration,
    status::{FAILED, SUCCESS},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use self::{
    case::{CASES, Case},
    machine::{Machine, Quiet},
    metric::Metric,
    peer::Peer,
    report::Method,
    results::CaseResults,
    run::Bench,
};

/// Number of rounds of third-party programs, which are slow and far from the floor.
const FOREIGN_ROUNDS: usize = 2;

/// Compare echo-server with other echo servers on this machine
#[derive(Debug, Parser)]
struct Args {
    /// Run fewer cases, rounds and servers, in less than three minutes
    #[arg(long)]
    quick: bool,

    /// Run only these cases
    #[arg(long, value_delimiter = ',', value_name = "CASE", value_parser = case::parse)]
    only: Vec<Case>,

    /// Run only these servers; without the floor, there are no ratios
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SERVER")]
    peers: Vec<Peer>,

    /// Number of rounds [default: 7, with --quick: 3]
    #[arg(long)]
    rounds: Option<usize>,

    /// Duration of a measurement, such as 500ms or 3s [default: 1s]
    #[arg(long, value_name = "DUR", value_parser = positive_duration)]
    seconds: Option<Duration>,

    /// Maximum time to wait until the machine is idle, for all runs together [default: 2m, with --quick: 20s]
    #[arg(long, value_name = "DUR", value_parser = duration)]
    patience: Option<Duration>,

    /// Number of threads of servers with a fixed number [default: one per core]
    #[arg(long)]
    threads: Option<usize>,

    /// Write all results to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write the chart to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    raise_descriptor_limit()?;
    let cores = thread::available_parallelism()?.get();
    let method = Method {
        rounds: args.rounds.unwrap_or(if args.quick { 3 } else { 7 }).max(1),
        foreign_rounds: FOREIGN_ROUNDS,
        duration: args.seconds.unwrap_or(Duration::from_secs(1)),
        threads: args.threads.unwrap_or(cores).max(1),
        machine: Machine::inspect()?,
    };
    let mut quiet = Quiet::new(args.patience.unwrap_or(if args.quick {
        Duration::from_secs(20)
    } else {
        Duration::from_mins(2)
    }));
    let start = Instant::now();
    let cases = args.cases();
    let results = cases.iter().map(|case| run_case(case, &args.peers(), &method, &mut quiet));
    let results: Vec<CaseResults> = results.collect::<anyhow::Result<_>>()?;
    writeln!(io::stderr(), "{:.0} s in total", start.elapsed().as_secs_f64())?;

    write!(io::stdout(), "{}", report::tables(&results))?;
    if let Some(path) = &args.json {
        fs::write(path, format!("{:#}\n", document(&results, &method)))?;
    }
    if let Some(path) = &args.markdown {
        fs::write(path, report::markdown(&results, &method, args.svg.as_deref()))?;
    }
    if let Some(path) = &args.svg {
        fs::write(path, chart::svg(&results))?;
    }
    let ours = |peer: Peer| matches!(peer, Peer::Ours | Peer::OursLogged | Peer::Floor);
    let failed = results.iter().flat_map(|case| &case.failures).any(|(peer, _)| ours(*peer));
    Ok(if failed { FAILED } else { SUCCESS }.into())
}

impl Args {
    fn cases(&self) -> Vec<Case> {
        if self.only.is_empty() {
            CASES.into_iter().filter(|case| case.is_quick || !self.quick).collect()
        } else {
            self.only.clone()
        }
    }

    fn peers(&self) -> Vec<Peer> {
        use Peer::{Floor, Ncat, Ours, OursLogged, Python, Socat, Thread, Tokio};
        let selected: &[Peer] = match (&self.peers[..], self.quick) {
            ([], true) => &[Ours, OursLogged, Floor, Tokio],
            ([], false) => &[Ours, OursLogged, Floor, Tokio, Thread, Socat, Ncat, Python],
            (named, _) => named,
        };
        selected.iter().copied().filter(|peer| peer.is_installed()).collect()
    }
}

/// Runs all rounds of a case, each with a run of every server.
fn run_case(
    case: &Case,
    peers: &[Peer],
    method: &Method,
    quiet: &mut Quiet,
) -> anyhow::Result<CaseResults> {
    let bench = Bench { threads: method.threads, duration: method.duration };
    let mut results = CaseResults::new(*case);
    let peers: Vec<Peer> = peers.iter().copied().filter(|peer| peer.supports(case)).collect();
    for round in 0..method.rounds {
        for place in 0..peers.len() {
            let peer = peers[(place + round) % peers.len()];
            if peer.is_foreign() && round >= method.foreign_rounds {
                continue;
            }
            quiet.wait()?;
            let run = bench.run(case, peer);
            let result = match &run {
                Ok(run) => [Metric::Rate, Metric::Cpu, Metric::P99, Metric::Others]
                    .into_iter()
                    .filter_map(|metric| {
                        let value = run.get(&metric)?;
                        Some(format!("  {} {}", metric.show(*value), metric.heading()))
                    })
                    .collect(),
                Err(error) => format!("  {error:#}"),
            };
            let (title, name, of) = (case.title, peer.title(), method.rounds);
            writeln!(io::stderr(), "{title}, round {} of {of}: {name:<14}{result}", round + 1)?;
            results.add(peer, round, run);
        }
    }
    Ok(results)
}

fn document(results: &[CaseResults], method: &Method) -> Value {
    json!({
        "method": method.json(),
        "cases": results.iter().map(CaseResults::json).collect::<Vec<_>>(),
    })
}

/// Raises the soft limit of descriptors to the hard limit. The servers inherit it.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
