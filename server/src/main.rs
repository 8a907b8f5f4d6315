//! `echo-server`: arguments, log, bind, run, exit status.

mod args;
mod listen;
mod signals;

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use common::{cli, status};
use server::{Server, descriptors, logging};

fn main() -> ExitCode {
    match run(cli::parse_args()) {
        Ok(status) => status.into(),
        Err(error) => {
            // Where standard error is closed there is nobody to tell; the status says it as well.
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            status::FAILED.into()
        }
    }
}

fn run(args: args::Args) -> anyhow::Result<u8> {
    descriptors::raise_limit();
    let (config, log_options) = args.resolve();
    let log = logging::start(&log_options)?;
    logging::record_panics();
    let server = Server::bind(config)?;
    let ended = signals::listen(server.handle(), log_options.file.is_some().then(|| log.reopen()))
        .context("cannot listen for signals")?;
    server.run()?;
    drop(log);
    Ok(ended.by().map_or(status::SUCCESS, status::signalled))
}
