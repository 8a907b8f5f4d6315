//! `echo-server`: settings, log, bind, run, exit status.

mod command_line;
mod signals;
mod task;

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use common::status;
use server::{
    Server, descriptors, logging,
    settings::{Settings, Sources},
};

fn main() -> ExitCode {
    let (task, sources) = command_line::parse();
    let ended = match task {
        Some(task) => task::run(&task, &sources),
        None => serve(&sources),
    };
    match ended {
        Ok(status) => status.into(),
        Err(error) => {
            // Where standard error is closed there is nobody to tell; the status says it as well.
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            status::FAILED.into()
        }
    }
}

fn serve(sources: &Sources) -> anyhow::Result<u8> {
    match sources.load() {
        Ok(settings) => run(&settings),
        Err(mistakes) => Ok(task::refuse("error: ", &mistakes)),
    }
}

fn run(settings: &Settings) -> anyhow::Result<u8> {
    descriptors::raise_limit();
    let (config, log_options) = settings.resolve();
    let log = logging::start(&log_options)?;
    logging::record_panics();
    for warning in settings.warnings() {
        log::warn!("{warning}");
    }
    let server = Server::bind(config)?;
    let ended = signals::listen(server.handle(), log_options.file.is_some().then(|| log.reopen()))
        .context("cannot listen for signals")?;
    server.run()?;
    drop(log);
    Ok(ended.by().map_or(status::SUCCESS, status::signalled))
}
