//! `--find-rate`: loads at one rate after the other, until the highest is known at which a condition
//! holds.
//!
//! Where to look next is the search's to say. Must not know how a report is shown.

use crate::load::error::Failure as Error;
use crate::load::{
    args::ResultArgs,
    coordinator::progress::Progress,
    evaluate::{assertion::Assertion, verdict::Verdict},
    ipc::wire::{Pace, Stop},
    plan::Plan,
    report::document::{Curve, Judged, Report, Step},
    runner::Site,
    search::{Finding, Found, Purpose, search},
    stats::format,
};

/// Where the search begins unless told otherwise, in messages a second: what every server keeps up
/// with, and a p99 of 30 messages of a step.
pub const DEFAULT_START: f64 = 1000.0;

/// The messages that a step has at least: with fewer there is nothing to tell its percentiles from.
pub const FEWEST: f64 = 20.0;

/// How many times longer than a step the confirmation is.
pub const CONFIRMATION: u32 = 3;

/// The share of the rate that has to be achieved: a server that answers less is not at that rate.
pub const ACHIEVED: f64 = 0.95;

/// Searches, and reports on the confirmation of what was found, or on the last step if nothing was.
///
/// # Errors
///
/// A step could not begin. A search that is stopped is no error: its report says so.
pub fn run(
    site: &Site<'_>,
    plan: &Plan,
    condition: &Assertion,
    results: &ResultArgs,
) -> Result<Report, Error> {
    let mut steps = Vec::new();
    let mut last = None;
    let start = plan.rate().unwrap_or(DEFAULT_START);
    let outcome = search(start, lowest(plan), |rate, purpose| {
        let name = format!("step {}, {}   ", steps.len() + 1, format::rate(rate));
        let report = site
            .run(&at(plan, rate, purpose), Progress::new(name, results.quiet))
            .map_err(Halt::Error)?;
        let (finding, remark) = judge(&report, rate, condition);
        steps.push(step(&report, rate, finding, remark));
        let stopped = report.stopped_early;
        last = Some(report);
        if stopped { Err(Halt::Stopped) } else { Ok(finding) }
    });
    let found = match outcome {
        Ok(found) => found,
        Err(Halt::Stopped) => Found { rate: None, limit: None },
        Err(Halt::Error(error)) => return Err(error),
    };
    let Some(mut report) = last else { return Err(crate::net::Error::Interrupted.into()) };
    conclude(&mut report, condition, found);
    steps.sort_by(|one, other| one.asked.total_cmp(&other.asked));
    report.find_rate = Some(Curve { condition: condition.to_string(), found: found.rate, steps });
    Ok(report)
}

/// The lowest rate that is tried.
fn lowest(plan: &Plan) -> f64 {
    match plan.stop {
        Stop::After(time) => FEWEST / time.as_secs_f64(),
        Stop::Messages(_) => 1.0,
    }
}

/// Why a search ends before its time.
enum Halt {
    Stopped,
    Error(Error),
}

/// The load of a step.
fn at(plan: &Plan, rate: f64, purpose: Purpose) -> Plan {
    let times = match purpose {
        Purpose::Step => 1,
        Purpose::Confirmation => CONFIRMATION,
    };
    let stop = match plan.stop {
        Stop::After(time) => Stop::After(time.saturating_mul(times)),
        Stop::Messages(messages) => Stop::Messages(messages),
    };
    Plan { pace: Pace::Rate(rate), stop, ..plan.clone() }
}

/// What a step has shown, and a remark on it.
fn judge(report: &Report, rate: f64, condition: &Assertion) -> (Finding, String) {
    let is_broken = !report.faults.is_empty() || !report.casualties.is_empty();
    let judged = Judged::new(condition, report);
    match report.verdict {
        Verdict::Failed if is_broken => (Finding::Broken, report.reason.clone()),
        // A server that is asked too much may well close connections.
        Verdict::Failed => (Finding::Exceeded, report.reason.clone()),
        // What the client adds makes the figures worse, never better: a condition that holds all the
        // same holds.
        _ if judged.holds && report.rate >= ACHIEVED * rate => (Finding::Holds, String::new()),
        Verdict::ClientLimited => (Finding::ClientLimited, brief(&report.reason)),
        _ if judged.holds => {
            let share = format::percent(report.rate / rate);
            (Finding::Exceeded, format!("the server answered {share} of it"))
        }
        _ => (Finding::Exceeded, judged.figure),
    }
}

/// A reason without what to do about it.
fn brief(reason: &str) -> String {
    reason.split(": ").next().unwrap_or_default().to_owned()
}

fn step(report: &Report, asked: f64, finding: Finding, remark: String) -> Step {
    Step {
        asked,
        achieved: report.rate,
        p50_ns: report.latency.p50_ns,
        p99_ns: report.latency.p99_ns,
        max_ns: report.latency.max_ns,
        verdict: report.verdict,
        holds: finding == Finding::Holds,
        remark,
    }
}

/// What the search as a whole makes of the report on its last step.
fn conclude(report: &mut Report, condition: &Assertion, found: Found) {
    let figure = Judged::new(condition, report).figure;
    let is_limited = found.limit == Some(Finding::ClientLimited);
    let figure = match found.rate {
        Some(rate) => {
            // The rate is what is judged, and not what else the figures say.
            (report.verdict, report.reason) = if is_limited {
                let reason = "the client was the limit of a higher rate: use more --processes, or more machines";
                (Verdict::ClientLimited, reason.to_owned())
            } else {
                let reason = "what was in the way of a higher rate was not the client";
                (Verdict::Valid, reason.to_owned())
            };
            format!("{figure} at {}, the highest rate that was found", format::rate(rate))
        }
        None if report.stopped_early => "the search was stopped".to_owned(),
        // Of the server nothing was learnt: the verdict says why.
        None if is_limited => {
            report.verdict = report.verdict.max(Verdict::ClientLimited);
            return;
        }
        None => format!("no rate was found; at the last one {figure}"),
    };
    let holds = found.rate.is_some();
    report.assertions.push(Judged { assertion: condition.to_string(), holds, figure });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::evaluate::testing::report;

    /// What a search that came to this makes of a report, and the exit status that follows.
    fn concluded(rate: Option<f64>, limit: Finding) -> (Report, u8) {
        let mut report = report(1000, 300);
        conclude(&mut report, &"p99<5ms".parse().unwrap(), Found { rate, limit: Some(limit) });
        let status = crate::load::run::status(&report);
        (report, status)
    }

    #[test]
    fn what_was_found_is_an_assertion_that_holds() {
        let (report, status) = concluded(Some(2000.0), Finding::Exceeded);
        let judged = &report.assertions[0];
        assert_eq!((judged.holds, status), (true, 0));
        assert_eq!(judged.figure, "p99 is 300 \u{b5}s at 2,000/s, the highest rate that was found");
    }

    #[test]
    fn nothing_found_is_one_that_does_not() {
        let (report, status) = concluded(None, Finding::Exceeded);
        assert_eq!((report.assertions[0].holds, status), (false, 3));
    }

    #[test]
    fn where_the_client_was_the_limit_the_verdict_says_so() {
        let (report, status) = concluded(Some(2000.0), Finding::ClientLimited);
        assert_eq!((report.assertions[0].holds, status), (true, 4));
        assert!(report.reason.starts_with("the client was the limit"), "{}", report.reason);
        let (report, status) = concluded(None, Finding::ClientLimited);
        assert_eq!((report.assertions.len(), status), (0, 4));
    }

    #[test]
    fn a_step_is_judged_by_its_verdict_then_by_the_condition_then_by_its_rate() {
        let condition = "p99<5ms".parse().unwrap();
        let finding = |report: &Report, asked| judge(report, asked, &condition).0;
        assert_eq!(finding(&report(1000, 300), 1000.0), Finding::Holds);
        assert_eq!(finding(&report(1000, 6000), 1000.0), Finding::Exceeded);
        assert_eq!(finding(&report(900, 300), 1000.0), Finding::Exceeded);
        let limited = |us| Report { verdict: Verdict::ClientLimited, ..report(1000, us) };
        assert_eq!(finding(&limited(300), 1000.0), Finding::Holds);
        assert_eq!(finding(&limited(6000), 1000.0), Finding::ClientLimited);
        assert_eq!(finding(&limited(300), 2000.0), Finding::ClientLimited);
        let overloaded = Report { verdict: Verdict::Failed, ..report(1000, 300) };
        assert_eq!(finding(&overloaded, 1000.0), Finding::Exceeded);
        let casualties = vec!["process 0 died".to_owned()];
        let broken = Report { casualties, ..overloaded };
        assert_eq!(finding(&broken, 1000.0), Finding::Broken);
    }
}
