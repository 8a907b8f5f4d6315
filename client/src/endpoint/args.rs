//! Arguments that name the server, for the program and for each subcommand.

use std::time::Duration;

use clap::{Args, ValueHint, builder::NonEmptyStringValueParser};
use common::{cli::positive_duration, endpoint::Endpoint};

use super::server_url::server_url;

/// The server's URL, before or after a subcommand.
#[derive(Clone, Debug, Args)]
pub(crate) struct UrlArg {
    /// URL of the server.
    #[arg(value_name = "URL", value_parser = server_url, help = URL_HELP)]
    #[arg(value_hint = ValueHint::Url, help_heading = None::<&str>)]
    pub(crate) url: Option<Endpoint>,
}

/// The short form of the server's URL, and the time limit, before or after a subcommand.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Host name or address of the server, instead of a URL [default: 127.0.0.1]
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: Option<String>,

    /// TCP port of the server, instead of a URL [default: 65432]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Limit for the connection, and for each reply, such as 500ms, 2s or 1m
    ///
    /// In a pipe, it limits the time in which no byte returns although some are missing.
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s")]
    #[arg(value_parser = positive_duration)]
    pub(crate) timeout: Duration,
}

const URL_HELP: &str =
    "Server: tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH [default: tcp://127.0.0.1:65432]";
