//! The choice between a terminal and lines.

use std::{
    io::{self, IsTerminal as _},
    time::Instant,
};

use anyhow::Context as _;
use common::cli::terminal::is_plain_terminal;

use super::{plain, sampler::Sampler, screen, series::Series, signals::Signals};
use crate::cli::{admin_client::Target, status::args::StatusArgs};

/// Shows samples until the user ends it. Returns why the server is not healthy in the last one; nothing if it is.
pub(in crate::cli::status) fn watch(
    target: &Target,
    args: &StatusArgs,
) -> anyhow::Result<Vec<String>> {
    let signals = Signals::new().context("cannot listen for signals")?;
    let sampler = Sampler::start(target.clone(), args.interval).context("cannot start a thread")?;
    let mut series = Series::new(target.to_string(), Instant::now());
    let end = if !args.json && is_capable_terminal() {
        screen::run(&mut series, &sampler, &signals).context("cannot use the terminal")?
    } else {
        plain::run(&mut series, &sampler, &signals, args.json)?
    };
    end.apply();
    Ok(series.problems())
}

/// Returns whether input and output are a terminal that can move the cursor.
fn is_capable_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_plain_terminal()
}
