//! `soak`: churn, traffic, slow and rude peers together against a real server, for as long as it takes
//! to see that its memory and its descriptors keep still.
//!
//! | module | what it owns |
//! |---|---|
//! | [`watch`] | the server, its samples as they come, and what it leaves behind |
//! | [`samples`] | as many samples as are needed, however long it takes |
//! | [`judge`] | whether samples have a slope |
//! | [`peers`] | the threads of all peers |
//! | [`crowd`] | steady traffic, churn and floods |
//! | [`rude`] | slow and rude peers |
//! | [`server_log`] | the server's log, rotated and read |
//! | [`table`] | how a sample is shown |
//! | [`stop`] | the end, asked for or come |
//!
//! It runs the programs that are in its own directory: build them first.

mod crowd;
mod judge;
mod peers;
mod rude;
mod samples;
mod server_log;
mod stop;
mod table;
mod watch;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use common::cli::{
    self, positive_duration,
    status::{FAILED, SUCCESS},
};
use tests::process::raise_descriptor_limit;

use self::stop::Stop;

/// Soak echo-server: churn, traffic, slow and rude peers together, and a look at what it keeps
///
/// Fails if memory or descriptors grow, a byte is wrong, a connection is lost that should not be, or
/// the server's log has an error. Ctrl+C ends it with the judgement so far.
#[derive(Debug, Parser)]
struct Args {
    /// How long, as 90s, 30m or 8h; under 20s is too short to judge
    #[arg(long, value_name = "DUR", value_parser = positive_duration, default_value = "30m")]
    duration: Duration,
}

fn main() -> anyhow::Result<ExitCode> {
    let args: Args = cli::parse_args();
    raise_descriptor_limit();
    let stop = Stop::default();
    stop.raise_on_signals()?;
    let has_passed = watch::soak(args.duration, &stop)?;
    Ok(if has_passed { SUCCESS } else { FAILED }.into())
}
