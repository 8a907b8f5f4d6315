//! The client of an echo server: it sends, and checks every byte that comes back.
//!
//! | module | what it owns |
//! |---|---|
//! | [`args`], [`server_url`], [`config`] | the command line as typed, then as understood |
//! | [`interactive`] | a conversation in a terminal, by way of [`prompt`], [`history`] and [`watcher`] |
//! | [`filter`] | everything from a pipe and back, by way of [`window`] |
//! | [`oneshot`] | messages from the command line |
//! | [`ping`] | round trips one by one, by way of [`statistics`] |
//! | [`load`] | many processes, many connections, every byte checked, and a verdict |
//! | [`exchange`], [`goodbye`] | a message and its echo, an exit and its answer |
//! | [`connect`], [`link`], [`wait`] | a connection, its socket, and waiting for it |
//! | [`output`] | echoes into a pipe or onto a terminal |
//! | [`error`] | what can go wrong, in the user's words |
//!
//! Dependencies point down this table. Bytes on the wire are checked in [`exchange`] and [`window`],
//! and nowhere else, save for the datagrams of [`ping`]; system calls on the socket are in [`link`] and
//! [`connect`].

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd as _,
};

pub mod cli;
pub mod echo;
pub mod interactive;
pub mod load;
pub mod net;
pub mod ping;
pub mod pipe;
pub mod target;
#[cfg(test)]
mod testing;

use clap::CommandFactory as _;
use cli::{
    args::Args,
    config::{Config, Mode},
};
use common::cli::{
    completions, manual,
    status::{FAILED, SUCCESS},
};
use net::error::Error;
use pipe::{filter, one_shot, output::Output};

/// Does the job, with the process's standard input and output; says the exit status.
///
/// # Errors
///
/// What went wrong, and has not been shown to anybody yet.
pub fn run(config: &Config) -> Result<u8, Error> {
    let (target, stdin, mut stdout) = (&config.target, io::stdin(), io::stdout());
    match &config.mode {
        Mode::Converse if stdin.is_terminal() && stdout.is_terminal() => {
            interactive::session::run(target, &mut stdout)?;
        }
        Mode::Converse => {
            // Without std's buffer, of whose content `poll` would know nothing.
            let input = stdin.as_fd().try_clone_to_owned().map_err(Error::Input)?;
            let link = target.connect()?;
            filter::run(&link, &mut File::from(input), &mut Output::standard(&stdout)?)?;
        }
        Mode::Messages(messages) => {
            one_shot::run(target.connect()?, messages, &mut Output::standard(&stdout)?)?;
        }
        Mode::Ping(ping) => {
            let is_perfect = ping::run::run(target, ping, &mut stdout)?;
            return Ok(if is_perfect { SUCCESS } else { FAILED });
        }
        Mode::Load(job) => return load::run::run(target, job, &mut stdout),
        Mode::LoadWorker => {
            load::worker::entry::run()
                .map_err(|error| Error::System { what: "work for a load", error })?;
        }
        Mode::Completions(shell) => {
            let script = completions::script(*shell, Args::command());
            stdout.write_all(&script).and_then(|()| stdout.flush()).map_err(Error::output)?;
        }
        Mode::Manual(directory) => {
            manual::write(Args::command(), directory)
                .map_err(|error| Error::System { what: "write man pages", error })?;
        }
    }
    Ok(SUCCESS)
}
