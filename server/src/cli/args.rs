//! The command line: the flags, which are the settings, and the subcommands.

use std::path::PathBuf;

use clap::{
    ArgMatches, Command as ClapCommand, CommandFactory as _, FromArgMatches as _, Parser,
    Subcommand,
};
use common::cli::{self, completions::Shell};
use server::settings::{Flags, Sources};

#[cfg(feature = "admin")]
use super::faults::FaultsCommand;
#[cfg(feature = "history")]
use super::history::HistoryArgs;
#[cfg(feature = "admin")]
use super::status::StatusArgs;
#[cfg(feature = "login")]
use super::user::UserCommand;

/// An echo server: it returns every byte that it receives
///
/// It serves any number of connections with a fixed pool of worker threads, and logs every message.
#[derive(Debug, Parser)]
#[command(name = "echo-server", version, allow_negative_numbers = true)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(subcommand_help_heading = "Commands, instead of serving")]
#[command(after_help = "For all flags and examples: echo-server --help")]
#[command(after_long_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// A command to run instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check or print settings without serving: check, show or default
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Change the file of users, who may log in: add, passwd, remove, list or check
    #[cfg(feature = "login")]
    #[command(subcommand)]
    User(UserCommand),
    /// Search the history: the messages that a server with --history has recorded
    #[cfg(feature = "history")]
    History(HistoryArgs),
    /// Show a running server with --admin: its health, rates, listeners, workers and busiest peers
    #[cfg(feature = "admin")]
    Status(StatusArgs),
    /// Show and change the faults of a running server with --admin: list, set, clear or profiles
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Faults(FaultsCommand),
    /// Print a script that makes your shell complete the arguments of echo-server
    #[command(after_long_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write man pages into a directory; for packagers
    #[command(hide = true)]
    Man {
        /// The directory; created if it is missing
        #[arg(value_parser = directory)]
        directory: PathBuf,
    },
}

/// Commands for settings. Their flags are those of the server.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check whether the server accepts these settings; exit with status 2 if not
    #[command(after_long_help = CHECK)]
    Check(Flags),
    /// Print every setting as a configuration file, with the source of its value
    #[command(after_long_help = SHOW)]
    Show(Flags),
    /// Print a configuration file with every setting at its default, with explanations
    #[command(after_long_help = DEFAULT)]
    Default,
}

const EXAMPLES: &str = "\
Values:
  Durations are written 500ms, 30s, 5m; the units are ns, us, ms, s, m (minutes), h, d and w. A time limit can be off.

Configuration:
  A long flag is also a key of the file that --config names (port = 7000), and an environment \
variable (ECHO_SERVER_PORT=7000). A flag overrides the environment, which overrides the file. \
'echo-server config show' prints the value of each setting, and its source.

Examples:
  echo-server                                  listen on 127.0.0.1:65432
  echo-server --host 0.0.0.0 --port 7000       listen on every IPv4 address
  echo-server --protocol raw --port 7          the echo service of RFC 862
  echo-server --listen tcp://[::]:7 --listen unix:///run/echo.sock
  echo-server --tls-self-signed --listen tls://127.0.0.1:7443
  echo-server --log-file echo.log --log-format json
  echo-server config default > echo.toml       create a configuration file
  echo-server --config echo.toml --port 7001   use the file, but another port

Signals:
  The first SIGINT (Ctrl+C) or SIGTERM drains the server, the second stops it immediately. \
SIGHUP reopens the log file and reloads the configuration file and certificates. Without any \
of them, and without a service manager, it drains the server as SIGTERM does.

Exit status:
  0        shut down by a signal
  1        the server failed
  2        a flag, an environment variable or the configuration file is invalid
  128 + N  stopped immediately by a second signal N";

const CHECK: &str = "\
Examples:
  echo-server config check --config echo.toml  print 'echo.toml: ok', or a line for each error

Exit status:
  0  the settings are valid
  2  a setting is invalid";

const SHOW: &str = "\
Examples:
  echo-server config show --config echo.toml   the settings from this file and the environment
  echo-server config show --port 7 > echo.toml  write a file with the same settings";

const DEFAULT: &str = "\
Examples:
  echo-server config default > echo.toml       create a configuration file";

const COMPLETIONS: &str = "\
Examples:
  source <(echo-server completions bash)                                    for this bash
  echo-server completions zsh > ~/.zfunc/_echo-server                       a directory in $fpath
  echo-server completions fish > ~/.config/fish/completions/echo-server.fish";

/// Parses the command line. Help, version and usage errors end the process.
pub(crate) fn parse() -> (Option<Command>, ArgMatches) {
    let matches = cli::parse_matches::<Cli>();
    match Cli::from_arg_matches(&matches) {
        Ok(args) => (args.command, matches),
        Err(error) => cli::usage_error(&cli::one_line(&error)),
    }
}

/// Refuses `-`, which means standard output for programs with a single output.
fn directory(typed: &str) -> Result<PathBuf, String> {
    match typed {
        "-" => {
            Err("each page is a file, so this must be a directory; ./- is one of this name"
                .to_owned())
        }
        path => Ok(path.into()),
    }
}

/// Returns the definition of the command line.
pub(crate) fn definition() -> ClapCommand {
    Cli::command()
}

/// Returns the sources of the settings; the innermost subcommand has the flags.
pub(crate) fn sources(matches: &ArgMatches) -> Sources {
    match matches.subcommand() {
        Some((_, inner)) => sources(inner),
        None => Sources::new(matches, std::env::vars_os()),
    }
}
