//! Arguments that name the server, for the program and for each subcommand that connects.

use std::time::Duration;

use clap::{Args, ValueHint, builder::NonEmptyStringValueParser};
use common::cli::positive_duration;

use super::{
    address::{Address, address},
    login::LoginArgs,
    tls::TlsArgs,
    websocket::WebSocketArgs,
};

/// The server's address and the time limit, before or after a subcommand.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// Address of the server.
    #[arg(value_name = "SERVER", value_parser = address, help = ADDRESS_HELP)]
    #[arg(value_hint = ValueHint::Hostname, help_heading = None::<&str>)]
    pub(crate) address: Option<Address>,

    /// Port of the server, after a HOST
    #[arg(value_name = "PORT", value_parser = port)]
    #[arg(help_heading = None::<&str>)]
    pub(crate) port_after_host: Option<u16>,

    /// Host name or address of the server [default: 127.0.0.1]
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host: Option<String>,

    /// Port of the server [default: 65432]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Limit for the connection, and for each reply, such as 500ms, 2s or 1m [default: 5s]
    ///
    /// In a pipe, it limits the time in which no byte returns although some are missing.
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub(crate) timeout: Option<Duration>,

    /// Describe each connection on standard error: address, times, and TLS
    ///
    /// Over TLS: version, cipher suite, key exchange, ALPN, and each certificate of the server with its names, its
    /// issuer, its expiry and its fingerprint.
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// TLS.
    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    /// Login.
    #[command(flatten)]
    pub(crate) login: LoginArgs,

    /// WebSocket.
    #[command(flatten)]
    pub(crate) websocket: WebSocketArgs,
}

const ADDRESS_HELP: &str = "Server: HOST, HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, udp://HOST:PORT, unix:///PATH or unix:///PATH?tls=on [default: 127.0.0.1:65432]";

fn port(typed: &str) -> Result<u16, &'static str> {
    match typed.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err("expected a port from 1 to 65535"),
    }
}
