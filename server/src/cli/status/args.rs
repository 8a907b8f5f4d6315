//! The arguments of `echo-server status`.

use std::time::Duration;

use clap::Args;
use common::cli::positive_duration;

use crate::cli::admin_client::AdminArgs;

/// The server to show, and the form of the output.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(super) admin: AdminArgs,
    /// Refresh every --interval, with rates between two samples; q, Escape or Ctrl+C quits
    #[arg(long, short)]
    pub(super) watch: bool,
    /// Time between two samples
    #[arg(long, value_name = "DUR", default_value = "1s", value_parser = positive_duration, requires = "watch")]
    pub(super) interval: Duration,
    /// Print what the server answers, an object of JSON in a line for each sample
    #[arg(long)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
The server needs an admin listener: echo-server --admin http://127.0.0.1:9465.

Examples:
  echo-server status                                    one screen, of http://127.0.0.1:9465
  echo-server status --watch                            a new one each second, until q
  echo-server status --admin unix:///run/echo-admin.sock
  echo-server status --config echo.toml                 the admin listener of this file
  echo-server status --json | jq .status.connections
  echo-server status > /dev/null || echo 'the server needs attention'

Exit status:
  0  the server is live and ready; with --watch: it was in the last sample
  1  it is not, or it does not answer; standard error says why
  2  an argument is invalid";
