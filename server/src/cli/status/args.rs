//! The arguments of `echo-server status`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueHint};
use common::cli::positive_duration;
use server::settings::{Diagnostics, Sources};

use super::fetch::Target;

/// The server to show, and the form of the output.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// The admin listener of the server [default: the setting 'admin' of the environment or of --config, or else
    /// 127.0.0.1, port 9465]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = Target::parse)]
    admin: Option<Target>,
    /// Configuration file of the server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "admin")]
    config: Option<PathBuf>,
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

impl StatusArgs {
    /// Returns the admin listener: the one that is named, or that of the settings, or the default.
    pub(super) fn target(&self) -> Result<Target, Diagnostics> {
        if let Some(target) = &self.admin {
            return Ok(target.clone());
        }
        let sources = Sources::without_flags(self.config.clone(), std::env::vars_os());
        Ok(sources.admin(Target::parse)?.unwrap_or_default())
    }
}
