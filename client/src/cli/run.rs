//! Dispatch to the subcommand, with the process's standard input and output.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Stdin, Stdout, Write as _},
    os::fd::AsFd as _,
    path::Path,
};

use clap::CommandFactory as _;
use common::cli::{
    completions::{self, Shell},
    manual,
    status::{FAILED, SUCCESS},
};

use super::{
    args::Args,
    config::{Config, Mode},
    error::{Error, Kind},
};
use crate::{
    interactive, load,
    net::target::Target,
    ping,
    pipe::{filter, one_shot, output::Output},
    stdio,
};

/// Runs the configured work; returns the exit status.
///
/// # Errors
///
/// The reason for which the work failed. It has not been printed.
pub fn run(config: &Config) -> Result<u8, Error> {
    Ok(dispatch(config)?)
}

fn dispatch(config: &Config) -> Result<u8, Kind> {
    let (target, stdin, mut stdout) = (&config.target, io::stdin(), io::stdout());
    match &config.mode {
        Mode::Interactive if stdin.is_terminal() && stdout.is_terminal() => {
            interactive::run(target, &mut stdout)?;
        }
        Mode::Interactive => run_filter(target, &stdin, &stdout)?,
        Mode::Messages(messages) => {
            one_shot::run(target.connect()?, messages, &mut Output::stdout(&stdout)?)?;
        }
        Mode::Ping(ping) => {
            let is_perfect = ping::run(target, ping, &mut stdout)?;
            return Ok(if is_perfect { SUCCESS } else { FAILED });
        }
        Mode::Load(job) => return Ok(load::run(target, job, &mut stdout)?),
        Mode::LoadWorker => load::run_worker().map_err(Kind::LoadWorker)?,
        Mode::Completions(shell) => print_completions(*shell, &mut stdout)?,
        Mode::ManPages(directory) => write_man_pages(directory)?,
    }
    Ok(SUCCESS)
}

fn run_filter(target: &Target, stdin: &Stdin, stdout: &Stdout) -> Result<(), Kind> {
    // The buffer of `std` would hide input from `poll`.
    let input = stdin.as_fd().try_clone_to_owned().map_err(stdio::Error::Input)?;
    let stream = target.connect()?;
    filter::run(&stream, &mut File::from(input), &mut Output::stdout(stdout)?)?;
    Ok(())
}

fn print_completions(shell: Shell, stdout: &mut Stdout) -> Result<(), stdio::Error> {
    let script = completions::script(shell, Args::command());
    stdout.write_all(&script).and_then(|()| stdout.flush()).map_err(stdio::Error::from_write)
}

fn write_man_pages(directory: &Path) -> Result<(), Kind> {
    manual::write(Args::command(), directory).map_err(Kind::ManPages)
}
