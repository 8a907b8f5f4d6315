//! `--find-rate`: loads at different rates, until the highest is known at which a condition holds.
//!
//! The [search](super::search) chooses the rates. Must not know how a report is shown.

use super::{
    error::Error,
    evaluate::assertion::Assertion,
    ipc::worker_config::{Pace, Stop},
    plan::job::Plan,
    progress::{Display, Progress},
    report::{
        document::{AssertionResult, Report},
        rate_curve::{RateCurve, RateStep},
        verdict::Verdict,
    },
    runner::Runner,
    search::{Finding, Limit, Purpose, SearchResult, search},
    stats::format,
};
use crate::net;

/// Rate at which the search starts unless given, in messages per second: every server sustains it, and a
/// step has 30 messages above its p99.
const DEFAULT_START: f64 = 1000.0;

/// Minimum number of messages of a step: fewer do not give percentiles.
const MIN_MESSAGES: f64 = 20.0;

/// Duration of the confirmation, in steps.
const CONFIRMATION_STEPS: u32 = 3;

/// Share of the target rate that has to be achieved: a server that answers less does not sustain the rate.
const MIN_ACHIEVED: f64 = 0.95;

/// Searches the highest rate; returns the report of its confirmation, or of the last step if there is none.
///
/// # Errors
///
/// A step could not start. A search that is stopped is no error: its report says that it was.
pub(super) fn run(
    runner: &Runner<'_>,
    plan: &Plan,
    condition: &Assertion,
    display: Display,
) -> Result<Report, Error> {
    let mut steps = Vec::new();
    let (mut last, mut first_start) = (None, None);
    let start = plan.rate().unwrap_or(DEFAULT_START);
    let result = search(start, min_rate(plan), |rate, purpose| {
        let name = format!("step {}, {}   ", steps.len() + 1, format::rate(rate));
        let mut step_plan = step_plan(plan, rate, purpose);
        step_plan.start_at = plan.start_at.filter(|_| steps.is_empty());
        let report = runner.run(&step_plan, Progress::new(name, display)).map_err(Abort::Error)?;
        let (finding, remark) = classify(&report, rate, condition);
        steps.push(step(&report, rate, finding, remark));
        let is_stopped = report.stopped_early;
        first_start = first_start.take().or_else(|| report.start.clone());
        last = Some(report);
        if is_stopped { Err(Abort::Stopped) } else { Ok(finding) }
    });
    let result = match result {
        Ok(result) => result,
        Err(Abort::Stopped) => SearchResult { rate: None, limit: None },
        Err(Abort::Error(error)) => return Err(error),
    };
    let Some(mut report) = last else { return Err(net::Error::Interrupted.into()) };
    conclude(&mut report, condition, result);
    report.start = first_start;
    steps.sort_by(|one, other| one.target_rate.total_cmp(&other.target_rate));
    let (condition, found) = (condition.to_string(), result.rate);
    report.find_rate = Some(RateCurve { condition, found, steps });
    Ok(report)
}

/// Reason why a search ends early.
enum Abort {
    Stopped,
    Error(Error),
}

/// Returns the lowest rate that is tried.
fn min_rate(plan: &Plan) -> f64 {
    match plan.stop {
        Stop::After(time) => MIN_MESSAGES / time.as_secs_f64(),
        Stop::Messages(_) => 1.0,
    }
}

/// Returns the plan of a step.
fn step_plan(plan: &Plan, rate: f64, purpose: Purpose) -> Plan {
    let steps = match purpose {
        Purpose::Step => 1,
        Purpose::Confirmation => CONFIRMATION_STEPS,
    };
    let stop = match plan.stop {
        Stop::After(time) => Stop::After(time.saturating_mul(steps)),
        Stop::Messages(messages) => Stop::Messages(messages),
    };
    Plan { pace: Pace::Rate(rate), stop, ..plan.clone() }
}

/// Classifies a step; returns a remark if the condition does not hold.
fn classify(report: &Report, rate: f64, condition: &Assertion) -> (Finding, String) {
    let is_broken = !report.faults.is_empty() || !report.failed_processes.is_empty();
    let result = condition.evaluate(report);
    match report.verdict {
        Verdict::Failed if is_broken => (Finding::Limited(Limit::Broken), report.reason.clone()),
        // An overloaded server may close connections.
        Verdict::Failed => (Finding::Limited(Limit::Exceeded), report.reason.clone()),
        // The client makes the figures worse, never better: a condition that holds nevertheless does hold.
        _ if result.holds && report.rate >= MIN_ACHIEVED * rate => (Finding::Holds, String::new()),
        // A step that is too short to judge does not say that the server was the limit.
        Verdict::ClientLimited | Verdict::Unknown => {
            (Finding::Limited(Limit::ClientLimited), without_advice(&report.reason))
        }
        _ if result.holds => {
            let share = format::percent(report.rate / rate);
            (Finding::Limited(Limit::Exceeded), format!("the server answered {share} of it"))
        }
        Verdict::Valid => (Finding::Limited(Limit::Exceeded), result.figure),
    }
}

/// Returns the part of a reason before its advice.
fn without_advice(reason: &str) -> String {
    reason.split(": ").next().unwrap_or_default().to_owned()
}

fn step(report: &Report, target_rate: f64, finding: Finding, remark: String) -> RateStep {
    RateStep {
        target_rate,
        achieved_rate: report.rate,
        p50_ns: report.latency.p50_ns,
        p99_ns: report.latency.p99_ns,
        max_ns: report.latency.max_ns,
        verdict: report.verdict,
        holds: finding == Finding::Holds,
        remark,
    }
}

/// Adds the result of the search to the report of its last step.
pub(super) fn conclude(report: &mut Report, condition: &Assertion, result: SearchResult) {
    let figure = condition.evaluate(report).figure;
    let is_client_limited = result.limit == Some(Limit::ClientLimited);
    let figure = match result.rate {
        Some(rate) => {
            // The verdict is on the rate, not on the other figures.
            (report.verdict, report.reason) = if is_client_limited {
                let reason = "the client was the limit of a higher rate: use more --processes, or more machines";
                (Verdict::ClientLimited, reason.to_owned())
            } else {
                (Verdict::Valid, "the client was not the limit of a higher rate".to_owned())
            };
            format!("{figure} at {}, the highest rate that was found", format::rate(rate))
        }
        None if report.stopped_early => "the search was stopped".to_owned(),
        // The result says nothing about the server, so the condition has none.
        None if is_client_limited => {
            report.verdict = report.verdict.max(Verdict::ClientLimited);
            report.reason = format!("no rate was found: {}", report.reason);
            return;
        }
        None => format!("no rate was found; at the last one {figure}"),
    };
    let holds = result.rate.is_some();
    report.assertions.push(AssertionResult { assertion: condition.to_string(), holds, figure });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::evaluate::testing::report;

    #[test]
    fn classifies_a_step_by_its_verdict_then_by_the_condition_then_by_its_rate() {
        const EXCEEDED: Finding = Finding::Limited(Limit::Exceeded);
        const CLIENT_LIMITED: Finding = Finding::Limited(Limit::ClientLimited);
        let condition = "p99<5ms".parse().unwrap();
        let finding = |report: &Report, rate| classify(report, rate, &condition).0;
        assert_eq!(finding(&report(1000, 300), 1000.0), Finding::Holds);
        assert_eq!(finding(&report(1000, 6000), 1000.0), EXCEEDED);
        assert_eq!(finding(&report(900, 300), 1000.0), EXCEEDED);
        let limited = |us| Report { verdict: Verdict::ClientLimited, ..report(1000, us) };
        assert_eq!(finding(&limited(300), 1000.0), Finding::Holds);
        assert_eq!(finding(&limited(6000), 1000.0), CLIENT_LIMITED);
        assert_eq!(finding(&limited(300), 2000.0), CLIENT_LIMITED);
        let short = Report { verdict: Verdict::Unknown, ..report(1000, 6000) };
        assert_eq!(finding(&short, 1000.0), CLIENT_LIMITED);
        let overloaded = Report { verdict: Verdict::Failed, ..report(1000, 300) };
        assert_eq!(finding(&overloaded, 1000.0), EXCEEDED);
        let failed_processes = vec!["process 0 died".to_owned()];
        let broken = Report { failed_processes, ..overloaded };
        assert_eq!(finding(&broken, 1000.0), Finding::Limited(Limit::Broken));
    }
}
