//! Subcommand `load`: runs the job, prints and writes the report, and returns the exit status.

use std::{io::Write, path::PathBuf};

use common::cli::status::{CLIENT_LIMITED, CONDITION, FAILED, SUCCESS, signalled};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{
    coordinator::progress::Progress,
    error::Error,
    find_rate, merge,
    plan::{
        args::ReportArgs,
        job::{Job, Plan},
    },
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
        Job::Run(plan, args) => run_loads(target, plan, args, output, |runner| {
            runner.run(plan, Progress::new(String::new(), args.quiet))
        }),
        Job::FindRate(plan, condition, args) => run_loads(target, plan, args, output, |runner| {
            find_rate::run(runner, plan, condition, args.quiet)
        }),
        Job::Merge(files, args) => run_merge(files, args, output),
    };
    match result {
        Err(error) if error.is_interrupted() => Ok(signalled(SIGINT)),
        result => result,
    }
}

fn run_loads(
    target: &Target,
    plan: &Plan,
    args: &ReportArgs,
    output: &mut impl Write,
    run: impl FnOnce(&Runner<'_>) -> Result<Report, Error>,
) -> Result<u8, Error> {
    let interrupt = Interrupt::on(&[SIGINT, SIGTERM])?;
    let files = open(args)?;
    let runner = Runner::new(target, plan, &interrupt)?;
    finish(run(&runner)?, args, files, output)
}

fn run_merge(inputs: &[PathBuf], args: &ReportArgs, output: &mut impl Write) -> Result<u8, Error> {
    let report = merge::run(inputs)?;
    // The output may be one of the inputs, so it is opened after they have been read.
    finish(report, args, open(args)?, output)
}

fn open(args: &ReportArgs) -> Result<ReportFiles, Error> {
    Ok(ReportFiles::open(args.json.as_deref(), args.histogram.as_deref())?)
}

/// Evaluates the assertions, prints the report and writes the files; returns the exit status.
fn finish(
    mut report: Report,
    args: &ReportArgs,
    files: ReportFiles,
    output: &mut impl Write,
) -> Result<u8, Error> {
    let results = args.assertions.iter().map(|assertion| assertion.evaluate(&report));
    let results: Vec<_> = results.collect();
    report.assertions.extend(results);
    let status = exit_status(&report);
    let table = if args.quiet { String::new() } else { table::render(&report) };
    let printed = print(output, &(table + &table::conclusion(&report)));
    files.write(&report)?;
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
