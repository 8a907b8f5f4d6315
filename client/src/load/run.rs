//! Subcommand `load`: runs the job, prints and writes the report, and returns the exit status.

use std::{io::Write, path::PathBuf};

use common::cli::{
    status::{CLIENT_LIMITED, CONDITION, FAILED, SUCCESS, signalled},
    stdio::stderr,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{
    compare,
    error::Error,
    find_rate, merge,
    plan::{
        job::{Job, Plan},
        report_config::ReportConfig,
    },
    progress::{Display, Progress},
    report::{document::Report, files::ReportFiles, table, verdict::Verdict},
    runner::Runner,
};
use crate::{
    net::{poll::Interrupt, target::Target},
    stdio::{self, print},
};

/// Runs a job; returns the exit status.
///
/// # Errors
///
/// The reason why there is no report, or why it could not be written. It has not been printed.
pub(crate) fn run(target: &Target, job: &Job, output: &mut impl Write) -> Result<u8, Error> {
    let result = match job {
        Job::Run(plan, config) => run_loads(target, plan, config, output, |runner| {
            runner.run(plan, Progress::new(String::new(), display(config)))
        }),
        Job::FindRate(plan, condition, config) => {
            run_loads(target, plan, config, output, |runner| {
                find_rate::run(runner, plan, condition, display(config))
            })
        }
        Job::Merge(files, config) => run_merge(files, config, output),
        Job::Compare(config) => compare::run(config, output),
    };
    match result {
        Err(error) if error.is_interrupted() => Ok(signalled(SIGINT)),
        result => result,
    }
}

fn run_loads(
    target: &Target,
    plan: &Plan,
    config: &ReportConfig,
    output: &mut impl Write,
    run: impl FnOnce(&Runner<'_>) -> Result<Report, Error>,
) -> Result<u8, Error> {
    let interrupt = Interrupt::on(&[SIGINT, SIGTERM])?;
    let files = ReportFiles::open(&config.destinations)?;
    let runner = Runner::new(target, plan, &interrupt)?;
    finish(run(&runner)?, config, files, output)
}

fn run_merge(
    inputs: &[PathBuf],
    config: &ReportConfig,
    output: &mut impl Write,
) -> Result<u8, Error> {
    let report = merge::run(inputs)?;
    // An output that is a pipe may wait for the reader of the inputs, so it is opened after them.
    finish(report, config, ReportFiles::open(&config.destinations)?, output)
}

fn display(config: &ReportConfig) -> Display {
    match config {
        ReportConfig { is_quiet: true, .. } => Display::None,
        ReportConfig { is_live: true, .. } => Display::Chart,
        _ => Display::Line,
    }
}

/// Evaluates the assertions, prints the report and writes the files; returns the exit status.
fn finish(
    mut report: Report,
    config: &ReportConfig,
    files: ReportFiles,
    output: &mut impl Write,
) -> Result<u8, Error> {
    let results = config.assertions.iter().map(|assertion| assertion.evaluate(&report));
    let results: Vec<_> = results.collect();
    report.assertions.extend(results);
    let status = exit_status(&report);
    let table = if config.is_quiet { String::new() } else { table::render(&report) };
    let text = table + &table::conclusion(&report);
    let printed = if config.destinations.use_standard_output() {
        print(&mut stderr(), &text)
    } else {
        print(output, &text)
    };
    files.write(&report, output)?;
    match printed {
        // A reader that closes the output early does not change the result.
        Ok(()) | Err(stdio::Error::OutputClosed) => Ok(status),
        Err(error) => Err(error.into()),
    }
}

/// Returns the exit status: a failure takes precedence over an assertion, and this over a limit of the
/// client.
fn exit_status(report: &Report) -> u8 {
    match report.verdict {
        Verdict::Failed => FAILED,
        _ if report.assertions.iter().any(|result| !result.holds) => CONDITION,
        Verdict::ClientLimited => CLIENT_LIMITED,
        Verdict::Valid | Verdict::Unknown => SUCCESS,
    }
}

#[cfg(test)]
mod tests;
