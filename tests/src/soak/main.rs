//! `soak`: runs traffic, churn, slow and misbehaving peers together against a real server, and checks that its
//! memory and its descriptors do not grow.
//!
//! | module | what it owns |
//! |---|---|
//! | [`run`] | the server, its samples, and what is left after the peers have gone |
//! | [`evaluate`] | whether samples have a slope |
//! | [`samples`] | a bounded number of samples of a run of any length |
//! | [`traffic`] | steady traffic, churn and floods |
//! | [`misbehaving`] | slow and misbehaving peers |
//! | [`actors`] | the threads of all peers |
//! | [`server_log`] | the log of the server, rotated and read |
//! | [`table`] | a sample as a line of the table |
//! | [`stop`] | the end of the run |
//!
//! It runs the programs in its own directory, so build them first.

mod actors;
mod evaluate;
mod misbehaving;
mod run;
mod samples;
mod server_log;
mod stop;
mod table;
mod traffic;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use common::cli::{
    self, positive_duration,
    status::{FAILED, SUCCESS},
};
use tests::system::process::raise_descriptor_limit;

use self::stop::Stop;

/// Soak echo-server: traffic, churn, slow and misbehaving peers together
///
/// Fails if memory or descriptors grow, if a byte is wrong, if a connection is lost that should not be, or if the log
/// of the server has an error. Ctrl+C ends the run and evaluates the samples so far.
#[derive(Debug, Parser)]
struct Args {
    /// Duration, such as 90s, 30m or 8h; less than 20s is too short to evaluate
    #[arg(long, value_name = "DUR", value_parser = positive_duration, default_value = "30m")]
    duration: Duration,
}

fn main() -> anyhow::Result<ExitCode> {
    let args: Args = cli::parse_args();
    raise_descriptor_limit();
    let stop = Stop::default();
    stop.raise_on_signals()?;
    let has_passed = run::soak(args.duration, &stop)?;
    Ok(if has_passed { SUCCESS } else { FAILED }.into())
}
