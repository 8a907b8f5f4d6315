//! The rounds of a case.

use std::io::{self, Write as _};

use crate::{
    candidate::Candidate,
    case::Case,
    measure::{machine::IdleWait, run::Settings},
    metric::Metric,
    report::page::Method,
    results::CaseResults,
};

/// Runs all rounds of a case, each with a run of every server.
pub(crate) fn run_case(
    case: &Case,
    candidates: &[Candidate],
    method: &Method,
    idle: &mut IdleWait,
) -> anyhow::Result<CaseResults> {
    let settings = Settings { threads: method.threads, duration: method.duration };
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
