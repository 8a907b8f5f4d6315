//! `bench`: what the server costs, next to the least that an echo server can cost, and to others.
//!
//! For every case and round each server is started anew, loaded, measured and ended, in an order that
//! rotates from round to round: what else the machine does meets all of them. A figure is the median
//! of the rounds; a ratio is the median of the ratios to the floor of the same round.
//!
//! | module | what it owns |
//! |---|---|
//! | [`case`] | what is asked of every server |
//! | [`peer`] | the servers, and one of them running |
//! | [`load`] | the load, in a process of its own |
//! | [`run`] | one server under one load |
//! | [`usage`] | processor time and memory by the kernel's accounts |
//! | [`metric`] | what is measured, and how it is shown |
//! | [`results`] | medians, spreads, ratios |
//! | [`targets`] | what is aimed at |
//! | [`report`], [`chart`], [`machine`] | tables, the picture, and what they were measured on |
//!
//! It runs the programs that are in its own directory: build them first.

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

/// The rounds of other people's programs: they are far off, and slow.
const FOREIGN_ROUNDS: usize = 2;

/// Measure echo-server next to other echo servers, in turns, on this machine
#[derive(Debug, Parser)]
struct Args {
    /// Fewer cases, rounds and servers: under three minutes
    #[arg(long)]
    quick: bool,

    /// Only these cases
    #[arg(long, value_delimiter = ',', value_name = "CASE", value_parser = case::parse)]
    only: Vec<Case>,

    /// Only these servers; without the floor there are no ratios
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SERVER")]
    peers: Vec<Peer>,

    /// How many rounds [default: 7, or 3 if quick]
    #[arg(long)]
    rounds: Option<usize>,

    /// How long a run is measured, as 500ms or 3s [default: 1s]
    #[arg(long, value_name = "DUR", value_parser = positive_duration)]
    seconds: Option<Duration>,

    /// How long to wait, in all, for the machine to have nothing else to do [default: 2m, or 20s if
    /// quick]
    #[arg(long, value_name = "DUR", value_parser = duration)]
    patience: Option<Duration>,

    /// The workers of servers that have a fixed number [default: one a core]
    #[arg(long)]
    threads: Option<usize>,

    /// Write all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the report here
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write the chart here
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
        machine: Machine::look()?,
    };
    let mut quiet = Quiet::new(args.patience.unwrap_or(if args.quick {
        Duration::from_secs(20)
    } else {
        Duration::from_mins(2)
    }));
    let begun = Instant::now();
    let cases = args.cases();
    let results = cases.iter().map(|case| run_case(case, &args.peers(), &method, &mut quiet));
    let results: Vec<CaseResults> = results.collect::<anyhow::Result<_>>()?;
    writeln!(io::stderr(), "{:.0} s in all", begun.elapsed().as_secs_f64())?;

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
            CASES.into_iter().filter(|case| case.quick || !self.quick).collect()
        } else {
            self.only.clone()
        }
    }

    fn peers(&self) -> Vec<Peer> {
        use Peer::{Floor, Ncat, Ours, OursLogged, Python, Socat, Thread, Tokio};
        let wanted: &[Peer] = match (&self.peers[..], self.quick) {
            ([], true) => &[Ours, OursLogged, Floor, Tokio],
            ([], false) => &[Ours, OursLogged, Floor, Tokio, Thread, Socat, Ncat, Python],
            (named, _) => named,
        };
        wanted.iter().copied().filter(|peer| peer.is_installed()).collect()
    }
}

/// All rounds of a case, each with a run of every server.
fn run_case(
    case: &Case,
    peers: &[Peer],
    method: &Method,
    quiet: &mut Quiet,
) -> anyhow::Result<CaseResults> {
    let bench = Bench { threads: method.threads, duration: method.duration };
    let mut results = CaseResults::new(*case);
    let peers: Vec<Peer> = peers.iter().copied().filter(|peer| peer.takes(case)).collect();
    for round in 0..method.rounds {
        for place in 0..peers.len() {
            let peer = peers[(place + round) % peers.len()];
            if peer.is_foreign() && round >= method.foreign_rounds {
                continue;
            }
            quiet.wait()?;
            let run = bench.run(case, peer);
            let said = match &run {
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
            writeln!(io::stderr(), "{title}, round {} of {of}: {name:<14}{said}", round + 1)?;
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

/// As many descriptors as there may ever be, for the servers, too, which inherit it.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
