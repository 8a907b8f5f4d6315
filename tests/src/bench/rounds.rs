//! The rounds of a case.

use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::{
    candidate::Candidate,
    case::{Case, Kind, SATURATED},
    measure::{machine::IdleWait, run::Settings},
    metric::Metric,
    report::page::Method,
    results::{CaseResults, Summary},
};

/// Number of runs that measure the rate of the saturated floor.
const SATURATED_RUNS: usize = 3;

/// Runs all rounds of a case, each with a run of every server.
pub(crate) fn run_case(
    case: &Case,
    candidates: &[Candidate],
    method: &Method,
    idle: &mut IdleWait,
) -> anyhow::Result<CaseResults> {
    let mut settings = Settings { threads: method.threads, duration: method.duration, rate: None };
    if let Kind::OpenLoop { percent } = case.kind {
        settings.rate = Some(rate_of_floor(&settings, percent, idle)?);
    }
    let mut results = CaseResults::new(*case);
    let candidates: Vec<Candidate> =
        candidates.iter().copied().filter(|candidate| candidate.supports(case)).collect();
    for round in 0..method.rounds {
        for place in 0..candidates.len() {
            let candidate = candidates[(place + round) % candidates.len()];
            if candidate.runs_seldom() && round >= method.foreign_rounds {
                continue;
            }
            idle.wait()?;
            let run = settings.run(case, candidate);
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
            let (title, name, of) = (case.title, candidate.title(), method.rounds);
            writeln!(io::stderr(), "{title}, round {} of {of}: {name:<14}{result}", round + 1)?;
            results.add(candidate, round, run);
        }
    }
    Ok(results)
}

/// Returns this share of the rate of the saturated floor, in messages per second.
fn rate_of_floor(settings: &Settings, percent: u32, idle: &mut IdleWait) -> anyhow::Result<u32> {
    let mut rates = Vec::new();
    for _ in 0..SATURATED_RUNS {
        idle.wait()?;
        let run = settings.run(&SATURATED, Candidate::Floor)?;
        rates.extend(run.get(&Metric::Rate).copied());
    }
    let rate = Summary::of(rates).context("the floor has no rate")?.median;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive rate below 2^32"
    )]
    let share = (rate * f64::from(percent) / 100.0).round() as u32;
    Ok(share)
}
