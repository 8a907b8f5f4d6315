//! The subcommands, which run instead of the server.

#[cfg(feature = "tls")]
use std::borrow::Cow;
use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::ArgMatches;
use common::cli::{completions, manual, print_error, status, stdio::stdout};
#[cfg(feature = "tls")]
use server::Server;
use server::settings::{self, Diagnostics, Settings, Sources};

use super::args::{self, Command, ConfigCommand};
#[cfg(feature = "admin")]
use super::faults;
#[cfg(feature = "history")]
use super::history;
#[cfg(feature = "admin")]
use super::status as status_view;
#[cfg(feature = "login")]
use super::user;

/// Runs a subcommand and returns the exit status.
pub(crate) fn run(command: &Command, matches: &ArgMatches) -> anyhow::Result<u8> {
    match command {
        Command::Config(ConfigCommand::Default) => print(settings::template().as_bytes()),
        Command::Config(ConfigCommand::Check(_)) => {
            with_settings(matches, |sources, _| valid(sources))
        }
        Command::Config(ConfigCommand::Show(_)) => {
            with_settings(matches, |_, settings| settings.to_string())
        }
        #[cfg(feature = "login")]
        Command::User(command) => {
            let (status, text) = user::run(command)?;
            print(text.as_bytes()).map(|printed| printed.max(status))
        }
        #[cfg(feature = "history")]
        Command::History(args) => match args.path() {
            Ok(path) => history::run(args, path),
            Err(diagnostics) => Ok(reject("", &diagnostics)),
        },
        #[cfg(feature = "admin")]
        Command::Status(args) => status_view::run(args)
            .map(|run| run.unwrap_or_else(|diagnostics| reject("", &diagnostics))),
        #[cfg(feature = "admin")]
        Command::Faults(command) => faults::run(command)
            .map(|run| run.unwrap_or_else(|diagnostics| reject("", &diagnostics))),
        Command::Completions { shell } => print(&completions::script(*shell, args::definition())),
        Command::Man { directory } => {
            let written = manual::write(args::definition(), directory);
            written.context("cannot write man pages").map(|()| status::SUCCESS)
        }
    }
}

/// Prints the diagnostics of invalid settings, a line each, and returns the exit status.
pub(crate) fn reject(prefix: &str, diagnostics: &Diagnostics) -> u8 {
    for diagnostic in &diagnostics.0 {
        print_error(&format!("{prefix}{diagnostic}"));
    }
    status::USAGE
}

/// Logs each listener with a certificate of this run, and how to connect and accept no other certificate.
#[cfg(feature = "tls")]
pub(crate) fn log_self_signed(settings: &Settings, server: &Server) {
    for (address, tls) in server.tls_addresses() {
        if let Some(sha256) = settings.self_signed_fingerprint(tls) {
            log::info!(event = "self-signed", address, sha256;
                "{address} has a self-signed certificate, made for this run. Connect with: \
                 echo-client {} --tls-pin {sha256}",
                shell_word(&address.replacen("https://", "wss://", 1)));
        }
    }
}

/// Returns a word of a command line, in quotes if a shell would change it: `?` and `[` are wildcards.
#[cfg(feature = "tls")]
fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%".contains(&byte);
    if word.bytes().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
}

fn with_settings(
    matches: &ArgMatches,
    text: impl FnOnce(&Sources, &Settings) -> String,
) -> anyhow::Result<u8> {
    let sources = args::sources(matches);
    match sources.load() {
        Ok(settings) => {
            for warning in settings.warnings() {
                print_error(&format!("warning: {warning}"));
            }
            print(text(&sources, &settings).as_bytes())
        }
        // Without a prefix, as compilers print errors, so that editors find the line.
        Err(diagnostics) => Ok(reject("", &diagnostics)),
    }
}

fn valid(sources: &Sources) -> String {
    match sources.file() {
        Some(path) => format!("{}: ok\n", path.display()),
        None => "ok; there is no configuration file (--config FILE)\n".to_owned(),
    }
}

fn print(text: &[u8]) -> anyhow::Result<u8> {
    match stdout().write_all(text) {
        // The reader has closed the pipe after it read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status::SUCCESS),
        written => written.context("cannot write to standard output").map(|()| status::SUCCESS),
    }
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests {
    use super::shell_word;

    #[test]
    fn an_address_that_a_shell_would_change_is_in_quotes() {
        for (address, word) in [
            ("tls://127.0.0.1:7443", "tls://127.0.0.1:7443"),
            ("tls://[::1]:7443", "'tls://[::1]:7443'"),
            ("unix:///run/echo.sock?tls=on", "'unix:///run/echo.sock?tls=on'"),
            ("unix:///a'b?tls=on", r"'unix:///a'\''b?tls=on'"),
        ] {
            assert_eq!(shell_word(address), word);
        }
    }
}
