//! Endpoint that the arguments name together.

use common::{
    endpoint::{Endpoint, HostPort},
    protocol::{DEFAULT_HOST, DEFAULT_PORT},
};

use super::args::ServerArgs;

/// Contradiction between the arguments that name the server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The server is named twice.
    #[error("the URL '{0}' cannot be used with {1}")]
    NamedTwice(Endpoint, String),
    /// `--udp` with the URL of a server that is not UDP.
    #[error("'--udp' cannot be used with the URL '{0}': omit one of them, or use udp://HOST:PORT")]
    NotUdp(Endpoint),
}

/// Returns the one server that is named: by a URL before or after a subcommand, or by flags.
pub(crate) fn select(
    before_subcommand: Option<Endpoint>,
    after_subcommand: Option<Endpoint>,
    flags: ServerArgs,
    is_udp: bool,
) -> Result<Endpoint, Error> {
    match (before_subcommand, after_subcommand, flags.host, flags.port) {
        (Some(one), Some(other), ..) => Err(Error::NamedTwice(one, format!("'{other}'"))),
        (Some(url), _, Some(_), _) | (_, Some(url), Some(_), _) => {
            Err(Error::NamedTwice(url, "'--host'".to_owned()))
        }
        (Some(url), .., Some(_)) | (_, Some(url), _, Some(_)) => {
            Err(Error::NamedTwice(url, "'--port'".to_owned()))
        }
        (Some(url), ..) | (_, Some(url), ..) if is_udp && !matches!(url, Endpoint::Udp(_)) => {
            Err(Error::NotUdp(url))
        }
        (Some(url), ..) | (_, Some(url), ..) => Ok(url),
        (None, None, host, port) => {
            let host = host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
            // Brackets, as in a URL, are not a part of the address.
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = bare.unwrap_or(&host).to_owned();
            let server = HostPort { host, port: port.unwrap_or(DEFAULT_PORT) };
            Ok(if is_udp { Endpoint::Udp(server) } else { Endpoint::Tcp(server) })
        }
    }
}
