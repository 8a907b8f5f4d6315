//! The command line: flags, and what the program does besides serving.
//!
//! What can be set is the settings' own.

use std::path::PathBuf;

use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use common::{cli, completions::Shell};
use server::settings::{Flags, Sources};

/// An echo server: every byte comes back
///
/// It serves any number of connections with a fixed pool of worker threads, and logs every message.
#[derive(Debug, Parser)]
#[command(name = "echo-server", version, allow_negative_numbers = true, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(subcommand_help_heading = "Commands, instead of serving")]
#[command(after_help = "There are more flags, and examples: echo-server --help")]
#[command(after_long_help = EXAMPLES)]
struct CommandLine {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    task: Option<Task>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Look at settings without serving: check, show or default
    #[command(subcommand)]
    Config(ConfigTask),
    /// Print a script that makes your shell complete the arguments of echo-server
    #[command(after_long_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write man pages into a directory; for packagers
    #[command(hide = true)]
    Man {
        /// It is made if need be
        directory: PathBuf,
    },
}

/// What to do with settings. Flags are as for the server itself.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigTask {
    /// Say whether the server would take these settings; status 2 if not
    #[command(after_long_help = CHECK)]
    Check(Flags),
    /// Print every setting as a configuration file, with where its value comes from
    #[command(after_long_help = SHOW)]
    Show(Flags),
    /// Print a configuration file with every setting at its default, explained
    #[command(after_long_help = DEFAULT)]
    Default,
}

const EXAMPLES: &str = "\
Values:
  Durations read 500ms, 30s, 5m. A time limit can be off.

Configuration:
  A long flag is also a key of the file that --config names (port = 7000), and an environment
  variable (ECHO_SERVER_PORT=7000). A flag is stronger than the environment, which is stronger
  than the file. 'echo-server config show' says what holds, and why.

Examples:
  echo-server                                  listen on 127.0.0.1:65432
  echo-server --host 0.0.0.0 --port 7000       listen on every address
  echo-server --protocol raw --port 7          the echo service of RFC 862
  echo-server --listen tcp://[::]:7 --listen unix:///run/echo.sock
  echo-server --log-file echo.log --log-format json
  echo-server config default > echo.toml       a file to begin with
  echo-server --config echo.toml --port 7001   as it says, but for the port

Signals:
  The first SIGINT (Ctrl+C) or SIGTERM drains, the second ends at once.

Exit status:
  0        shut down as asked
  1        it could not run
  2        a mistake in a flag, in the environment or in the configuration file; nothing was tried
  128 + N  ended at once by a second signal N";

const CHECK: &str = "\
Examples:
  echo-server config check --config echo.toml  says 'echo.toml: ok', or what is wrong, line by line

Exit status:
  0  the server would take them
  2  there is a mistake";

const SHOW: &str = "\
Examples:
  echo-server config show --config echo.toml   what holds with this file and this environment
  echo-server config show --port 7 > echo.toml a file that says the same";

const DEFAULT: &str = "\
Examples:
  echo-server config default > echo.toml       a file to begin with";

const COMPLETIONS: &str = "\
Examples:
  source <(echo-server completions bash)                                    for this bash
  echo-server completions zsh > ~/.zfunc/_echo-server                       a directory in $fpath
  echo-server completions fish > ~/.config/fish/completions/echo-server.fish";

/// What to do, and all that was typed. Help, version and mistakes end the process here.
pub(crate) fn parse() -> (Option<Task>, ArgMatches) {
    let typed = cli::parse_matches::<CommandLine>();
    match CommandLine::from_arg_matches(&typed) {
        Ok(line) => (line.task, typed),
        Err(error) => cli::usage_error(&cli::one_line(&error)),
    }
}

/// The whole definition.
pub(crate) fn definition() -> Command {
    CommandLine::command()
}

/// What settings are taken from: the innermost command has the flags.
pub(crate) fn sources(typed: &ArgMatches) -> Sources {
    match typed.subcommand() {
        Some((_, inner)) => sources(inner),
        None => Sources::new(typed, std::env::vars_os()),
    }
}
