//! `echo-server`: settings, log, bind, run, exit status.

mod command_line;
mod hangup;
mod signals;
mod systemd;
mod task;

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use common::status;
use server::{
    Server, descriptors, logging,
    settings::{Settings, Sources},
};

use crate::hangup::Hangup;

fn main() -> ExitCode {
    let (task, typed) = command_line::parse();
    let ended = match task {
        Some(task) => task::run(&task, &typed),
        None => serve(command_line::sources(&typed)),
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

fn serve(sources: Sources) -> anyhow::Result<u8> {
    match sources.load() {
        Ok(settings) => run(sources, settings),
        Err(mistakes) => Ok(task::refuse("error: ", &mistakes)),
    }
}

fn run(sources: Sources, settings: Settings) -> anyhow::Result<u8> {
    descriptors::raise_limit();
    if sources.file().is_some() {
        signals::survive_hangup().context("cannot listen for signals")?;
    }
    let inherited = systemd::sockets()?;
    let passed: Vec<_> = inherited.iter().map(|socket| socket.endpoint().clone()).collect();
    let (config, log_options) = settings.resolve_with(&passed);
    let log = logging::start(&log_options)?;
    logging::record_panics();
    for warning in settings.warnings() {
        log::warn!("{warning}");
    }
    let server = Server::bind_with(config, inherited)?;
    let handle = server.handle();
    let pulse = handle.pulse();
    let reopen = log_options.file.is_some().then(|| log.reopen());
    let hangup = Hangup { handle: handle.clone(), sources, settings, log_options, passed, reopen };
    let ended = signals::listen(handle, hangup).context("cannot listen for signals")?;
    server.run_with(|| systemd::ready(pulse))?;
    drop(log);
    Ok(ended.by().map_or(status::SUCCESS, status::signalled))
}
