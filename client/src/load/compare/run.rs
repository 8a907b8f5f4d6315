//! Subcommand `load compare`: reads two reports, prints and writes the comparison, and returns the exit status.

use std::io::Write;

use common::cli::{
    status::{CLIENT_LIMITED, CONDITION, FAILED, SUCCESS},
    stdio::stderr,
};

use super::{changes::compare, document::Comparison, page, table};
use crate::{
    load::{
        error::Error,
        plan::compare_config::CompareConfig,
        report::{
            files::{ReportFile, json},
            verdict::Verdict,
        },
        saved_report,
    },
    stdio::{self, print},
};

/// Compares two reports; returns the exit status.
///
/// # Errors
///
/// A report could not be read, or the comparison could not be written.
pub(in crate::load) fn run(config: &CompareConfig, output: &mut impl Write) -> Result<u8, Error> {
    let base = saved_report::read(&config.base)?;
    let other = saved_report::read(&config.other)?;
    let comparison = compare(&base, &other, &config.assertions);
    let open = |destination: &Option<_>| destination.as_ref().map(ReportFile::open).transpose();
    let files = (open(&config.destinations.json)?, open(&config.destinations.html)?);
    let table = if config.is_quiet { String::new() } else { table::render(&comparison) };
    let text = table + &table::conclusion(&comparison);
    let printed = if config.destinations.use_standard_output() {
        print(&mut stderr(), &text)
    } else {
        print(output, &text)
    };
    if let Some(file) = files.0 {
        file.write(&json(&comparison), output)?;
    }
    if let Some(file) = files.1 {
        file.write(page::render(&comparison, &base.1, &other.1).as_bytes(), output)?;
    }
    match printed {
        // A reader that closes the output early does not change the result.
        Ok(()) | Err(stdio::Error::OutputClosed) => Ok(exit_status(&comparison)),
        Err(error) => Err(error.into()),
    }
}

/// Returns the exit status: that of a load, with the worst verdict of both.
fn exit_status(comparison: &Comparison) -> u8 {
    match comparison.verdict {
        Verdict::Failed => FAILED,
        _ if comparison.assertions.iter().any(|result| !result.holds) => CONDITION,
        Verdict::ClientLimited => CLIENT_LIMITED,
        Verdict::Valid | Verdict::Unknown => SUCCESS,
    }
}
