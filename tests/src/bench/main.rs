//! `bench`: compares the server with a minimal echo server, the floor, and with other servers.
//!
//! In each round of each case, every server is started, loaded, measured and stopped, in an order that rotates from
//! round to round, so that other activity of the machine affects all of them. A result is the median of the rounds. A
//! ratio is the median of the ratios to the floor in the same round.
//!
//! | module | what it owns |
//! |---|---|
//! | [`args`] | the command line |
//! | [`case`](mod@case) | the load on each server |
//! | [`candidate`] | the servers of the comparison |
//! | [`rounds`] | the rounds of a case |
//! | [`measure`] | one server under one load |
//! | [`metric`] | the measured values and their format |
//! | [`results`] | medians, ranges, ratios |
//! | [`report`] | the tables, the targets, the page and the chart |
//!
//! Start with [`rounds`]. It runs the programs in its own directory, so build them first.

mod args;
mod candidate;
mod case;
mod measure;
mod metric;
mod report;
mod results;
mod rounds;

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
    thread,
    time::Instant,
};

use clap::Parser as _;
use common::cli::status::{FAILED, SUCCESS};
use serde_json::{Value, json};
use tests::system::process::raise_descriptor_limit;

use self::{
    args::Args,
    candidate::Candidate,
    measure::machine::{IdleWait, Machine},
    report::{chart, page, page::Method, tables},
    results::CaseResults,
};

/// Number of rounds of programs that are slow or far from the floor.
const FOREIGN_ROUNDS: usize = 2;

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    // The servers inherit the limit.
    raise_descriptor_limit();
    let cases = args.cases();
    let (candidates, absent) = args.candidates();
    for candidate in &absent {
        writeln!(io::stderr(), "{} is not installed, so it is left out", candidate.title())?;
    }
    let method = Method {
        rounds: args.rounds(),
        foreign_rounds: FOREIGN_ROUNDS,
        duration: args.duration(),
        threads: args.threads(thread::available_parallelism()?.get()),
        absent: absent.iter().map(|candidate| candidate.title()).collect(),
        machine: Machine::inspect()?,
    };
    let mut idle = IdleWait::new(args.patience());
    let start = Instant::now();
    let results = cases.iter().map(|case| rounds::run_case(case, &candidates, &method, &mut idle));
    let results: Vec<CaseResults> = results.collect::<anyhow::Result<_>>()?;
    writeln!(io::stderr(), "{:.0} s in total", start.elapsed().as_secs_f64())?;

    write!(io::stdout(), "{}", tables::tables(&results))?;
    if let Some(path) = &args.json {
        fs::write(path, format!("{:#}\n", document(&results, &method)))?;
    }
    if let Some(path) = &args.markdown {
        fs::write(path, page::page(&results, &method, args.svg.as_deref()))?;
    }
    if let Some(path) = &args.svg {
        fs::write(path, chart::svg(&results))?;
    }
    let is_required =
        |candidate| matches!(candidate, Candidate::Ours | Candidate::OursLogged | Candidate::Floor);
    let has_failed = results
        .iter()
        .flat_map(|case| &case.failures)
        .any(|&(candidate, _)| is_required(candidate));
    Ok(if has_failed { FAILED } else { SUCCESS }.into())
}

fn document(results: &[CaseResults], method: &Method) -> Value {
    json!({
        "method": method.json(),
        "cases": results.iter().map(CaseResults::json).collect::<Vec<_>>(),
    })
}
