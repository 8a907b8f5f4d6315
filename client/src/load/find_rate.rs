//! `--find-rate`: loads at one rate after the other, until the highest is known at which a condition
//! holds.
//!
//! Where to look next is the search's to say. Must not know how a report is shown.

use super::{
    args::ResultArgs,
    assertion::Assertion,
    plan::Plan,
    progress::Progress,
    report::{Curve, Judged, Report, Step},
    run::Site,
    search::{Finding, Found, Purpose, search},
    text,
    verdict::Verdict,
    wire::{Pace, Stop},
};
use crate::error::Error;

/// Where the search begins unless told otherwise, in messages a second: what every server keeps up
/// with, and a p99 of 30 messages of a step.
pub const DEFAULT_START: f64 = 1000.0;

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
    let outcome = search(plan.rate().unwrap_or(DEFAULT_START), |rate, purpose| {
        let name = format!("step {}, {}   ", steps.len() + 1, text::rate(rate));
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
    let Some(mut report) = last else { return Err(Error::Interrupted) };
    conclude(&mut report, condition, found);
    steps.sort_by(|one, other| one.asked.total_cmp(&other.asked));
    report.find_rate = Some(Curve { condition: condition.to_string(), found: found.rate, steps });
    Ok(report)
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
        Verdict::ClientLimited => (Finding::ClientLimited, report.reason.clone()),
        _ if !judged.holds => (Finding::Exceeded, judged.figure),
        _ if report.rate < ACHIEVED * rate => {
            let share = text::percent(report.rate / rate);
            (Finding::Exceeded, format!("the server answered {share} of it"))
        }
        _ => (Finding::Holds, String::new()),
    }
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
    let (holds, figure) = match found {
        Found { rate: Some(rate), .. } => {
            (true, format!("{figure} at {}, the highest rate that was found", text::rate(rate)))
        }
        _ if report.stopped_early => (false, "the search was stopped".to_owned()),
        Found { rate: None, .. } => (false, format!("no rate was found; at the last one {figure}")),
    };
    report.assertions.push(Judged { assertion: condition.to_string(), holds, figure });
    // The condition still held: how much more the server would take is not known.
    if found.rate.is_some() && found.limit == Some(Finding::ClientLimited) {
        report.verdict = Verdict::ClientLimited;
        "the client was the limit of a higher rate: use more --processes, or more machines"
            .clone_into(&mut report.reason);
    }
}
