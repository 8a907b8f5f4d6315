//! Dispatch to the subcommand, with the process's standard input and output.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    path::Path,
};

use clap::CommandFactory as _;
use common::{
    cli::{
        completions::{self, Shell},
        manual, print_error,
        status::{FAILED, SUCCESS},
        stdio::stdout,
    },
    receipt::Comparison,
};

use super::{
    args::Args,
    config::{Config, Mode},
    error::{Error, Kind},
};
use crate::{
    chat,
    echo::window::Window,
    interactive, load,
    login::{self, Credentials},
    mirror,
    net::target::Target,
    ping,
    pipe::{filter, one_shot, output::Output},
    stdio::{self, write},
    tls::{self, TlsOptions, TrustOption},
};

const INSECURE: &str = "Warning: --insecure accepts any certificate: an attacker between client and server can read and change the bytes. Use --tls-ca or --tls-pin.";

/// Runs the configured work; returns the exit status.
///
/// # Errors
///
/// The reason for which the work failed. It has not been printed.
pub fn run(config: &Config) -> Result<u8, Error> {
    Ok(dispatch(config)?)
}

fn dispatch(config: &Config) -> Result<u8, Kind> {
    let tls = config.tls.as_ref().map(tls_client).transpose()?;
    let target = &with_login(Target { tls, ..config.target.clone() }, config.login.as_ref())?;
    let mut stdout = stdout();
    let is_terminal = io::stdout().is_terminal();
    match &config.mode {
        Mode::Interactive if io::stdin().is_terminal() && is_terminal => {
            print_comparison(interactive::run(target, &mut stdout)?);
        }
        Mode::Interactive | Mode::Chunks => {
            // The buffer of `std` would hide input from `poll`.
            let input = io::stdin().as_fd().try_clone_to_owned().map_err(stdio::Error::Input)?;
            let mut output = Output::new(stdout, is_terminal);
            // Chunks are bytes without lines, of which none is an exit.
            let window = match config.mode {
                Mode::Chunks => Window::without_exit(),
                _ => Window::default(),
            };
            let stream = target.connect()?;
            let comparison = filter::run(&stream, window, &mut File::from(input), &mut output)?;
            print_comparison(comparison);
        }
        Mode::Messages(messages) => {
            let mut output = Output::new(stdout, is_terminal);
            print_comparison(one_shot::run(target.connect()?, messages, &mut output)?);
        }
        Mode::Ping(ping) => {
            let is_perfect = ping::run(target, ping, &mut stdout)?;
            return Ok(if is_perfect { SUCCESS } else { FAILED });
        }
        Mode::Chat(config) => chat::start(target, config)?,
        Mode::Load(job) => return Ok(load::run(target, job, &mut stdout)?),
        Mode::Mirror => mirror::run(&target.connect()?)?,
        Mode::LoadWorker => load::run_worker().map_err(Kind::LoadWorker)?,
        Mode::Completions(shell) => print_completions(*shell)?,
        Mode::ManPages(directory) => write_man_pages(directory)?,
    }
    Ok(SUCCESS)
}

/// Prints that both ends have the same bytes, on standard error: standard output has the echo.
fn print_comparison(comparison: Option<Comparison>) {
    if let Some(comparison) = comparison {
        print_error(&comparison.to_string());
    }
}

/// Adds a login to a target. A password may be asked for, before the connection is made.
fn with_login(
    mut target: Target,
    options: Option<&login::Options>,
) -> Result<Target, login::Unusable> {
    let Some(options) = options else { return Ok(target) };
    let credentials = Credentials::read(options, &target.to_string())?;
    match &mut target.websocket {
        Some(websocket) => websocket.authorization = Some(credentials.authorization()),
        None => target.login = Some(login::Client::new(credentials)?),
    }
    Ok(target)
}

/// Returns the client for TLS. The warnings appear before anything can be sent.
fn tls_client(options: &TlsOptions) -> Result<tls::Client, tls::Unusable> {
    let client = tls::Client::new(options)?;
    if options.trust == TrustOption::Nothing {
        print_error(INSECURE);
    }
    if let Some(file) = &options.key_log {
        print_error(&format!(
            "Warning: --tls-key-log writes the session secrets of TLS: anyone who can read {} can decrypt these connections.",
            file.display()
        ));
    }
    Ok(client)
}

fn print_completions(shell: Shell) -> Result<(), stdio::Error> {
    write(&mut stdout(), &completions::script(shell, Args::command()))
}

fn write_man_pages(directory: &Path) -> Result<(), Kind> {
    manual::write(Args::command(), directory).map_err(Kind::ManPages)
}
