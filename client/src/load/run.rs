//! `echo-client load`: many processes, many connections, every byte checked, and a verdict.

use super::{find_rate, merge, report::table};
use std::{io::Write, path::PathBuf};

use common::cli::status::{CLIENT_LIMITED, CONDITION, FAILED, SUCCESS, signalled};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::load::{
    args::ResultArgs,
    coordinator::progress::Progress,
    error::Failure,
    evaluate::verdict::Verdict,
    plan::{Job, Plan},
    report::{
        document::{Judged, Report},
        files::Files,
    },
    runner::Site,
};
use crate::net::{poll::Interrupt, target::Target};

/// Does what `echo-client load` was asked to; says the exit status.
///
/// # Errors
///
/// What went wrong, and has not been shown to anybody yet.
pub fn run(target: &Target, job: &Job, output: &mut impl Write) -> Result<u8, Failure> {
    let done = match job {
        Job::Run(plan, results) => run_loads(target, plan, results, output, |site| {
            site.run(plan, Progress::new(String::new(), results.quiet))
        }),
        Job::FindRate(plan, condition, results) => {
            run_loads(target, plan, results, output, |site| {
                find_rate::run(site, plan, condition, results)
            })
        }
        Job::Merge(files, results) => run_merge(files, results, output),
    };
    match done {
        Err(Failure::Net(crate::net::Error::Interrupted) | Failure::Interrupted) => {
            Ok(signalled(SIGINT))
        }
        done => done,
    }
}

fn run_loads(
    target: &Target,
    plan: &Plan,
    results: &ResultArgs,
    output: &mut impl Write,
    loads: impl FnOnce(&Site<'_>) -> Result<Report, Failure>,
) -> Result<u8, Failure> {
    let interrupt = Interrupt::on(&[SIGINT, SIGTERM])?;
    let files = Files::open(results)?;
    let site = Site::new(target, plan, &interrupt)?;
    finish(loads(&site)?, results, files, output)
}

fn run_merge(
    inputs: &[PathBuf],
    results: &ResultArgs,
    output: &mut impl Write,
) -> Result<u8, Failure> {
    let report = merge::run(inputs)?;
    // Only now: one of them may be a file that was read.
    finish(report, results, Files::open(results)?, output)
}

/// Judges the assertions, shows the report, writes the files; says the exit status.
fn finish(
    mut report: Report,
    results: &ResultArgs,
    files: Files,
    output: &mut impl Write,
) -> Result<u8, Failure> {
    let judged = results.assertions.iter().map(|one| Judged::new(one, &report));
    let judged: Vec<_> = judged.collect();
    report.assertions.extend(judged);
    let status = status(&report);
    let body = if results.quiet { String::new() } else { table::show(&report) };
    let text = body + &table::closing(&report);
    let shown = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    files.write(&report)?;
    match shown.map_err(crate::stdio::Error::from_write) {
        // Who has read enough of a report has not made it another one.
        Ok(()) | Err(crate::stdio::Error::OutputClosed) => Ok(status),
        Err(error) => Err(error.into()),
    }
}

/// A failure goes before a condition, and that before a doubt.
pub(super) fn status(report: &Report) -> u8 {
    match report.verdict {
        Verdict::Failed => FAILED,
        _ if report.assertions.iter().any(|judged| !judged.holds) => CONDITION,
        Verdict::ClientLimited => CLIENT_LIMITED,
        Verdict::Valid | Verdict::Unknown => SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::evaluate::testing::report;

    #[test]
    fn a_failure_goes_before_an_assertion_and_that_before_a_doubt() {
        let broken = Judged::new(&"p99<1us".parse().unwrap(), &report(10, 300));
        assert!(!broken.holds);
        for (verdict, alone, with_assertion) in [
            (Verdict::Valid, 0, 3),
            (Verdict::Unknown, 0, 3),
            (Verdict::ClientLimited, 4, 3),
            (Verdict::Failed, 1, 1),
        ] {
            let mut report = Report { verdict, ..report(10, 300) };
            assert_eq!(status(&report), alone);
            report.assertions.push(broken.clone());
            assert_eq!(status(&report), with_assertion);
        }
    }

    #[test]
    fn every_word_of_an_assertion_finds_its_figure() {
        let report = report(1000, 300);
        for (assertion, holds) in [
            ("messages=1000", true),
            ("rate>=1000", true),
            ("p50<299us", false),
            ("p50<301us", true),
            ("errors=0", true),
            ("errors.reset=0", true),
            ("lost=0", true),
            ("bytes/s>6e4", true),
            ("connects=10", true),
            ("seconds<=1", true),
            ("connect.p99<1s", false),
            ("lag.max>0ns", false),
        ] {
            let judged = Judged::new(&assertion.parse().unwrap(), &report);
            assert_eq!(judged.holds, holds, "{judged:?}");
        }
    }
}
