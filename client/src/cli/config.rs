//! What the client is to do, after the command line has been understood.
//!
//! Owns what values mean together, and refuses what contradicts itself. Must not do any of it.

use std::{os::unix::ffi::OsStringExt, path::PathBuf};

use common::{
    cli::completions::Shell,
    endpoint::{Endpoint, HostPort},
    protocol::{DEFAULT_HOST, DEFAULT_PORT},
};

use crate::{
    cli::args::{Args, Command, PingArgs, ServerArgs},
    load::plan::{self, Job},
    net::target::Target,
    ping::{datagrams, run::PingConfig},
};

/// A job for the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server is.
    pub target: Target,
    /// What to do there.
    pub mode: Mode,
}

/// The ways of talking to a server.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// With whoever is at standard input and output: a person in a terminal, or a pipe.
    Converse,
    /// With these messages; at least one.
    Messages(Vec<Vec<u8>>),
    /// Round trips.
    Ping(PingConfig),
    /// With many connections of many processes.
    Load(Job),
    /// As one of these processes.
    LoadWorker,
    /// With nobody: completions for a shell.
    Completions(Shell),
    /// With nobody: man pages, into a directory.
    Manual(PathBuf),
}

/// A command line that contradicts itself, by name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Messages are for a conversation.
    #[error("the argument '--message <TEXT>' cannot be used with '{0}'")]
    MessageWith(&'static str),
    /// Two servers, or one twice.
    #[error("the URL '{0}' cannot be used with {1}")]
    Twice(Endpoint, String),
    /// No stream where one is needed.
    #[error(
        "a conversation needs a connection, and '{0}' has none: over UDP there are 'ping' and 'load'"
    )]
    Datagrams(Endpoint),
    /// Two ways of getting there.
    #[error(
        "'--udp' cannot be used with the URL '{0}': leave one of them out, or use udp://HOST:PORT"
    )]
    NotUdp(Endpoint),
    /// More than a datagram holds, or less than names one.
    #[error(
        "'--size {0}' cannot be used over UDP: a datagram here has {min} to {max} bytes",
        min = datagrams::MIN_SIZE,
        max = datagrams::MAX_SIZE
    )]
    DatagramSize(usize),
    /// Of a load's own arguments.
    #[error(transparent)]
    Load(#[from] plan::Contradiction),
}

impl TryFrom<Args> for Config {
    type Error = Contradiction;

    fn try_from(mut args: Args) -> Result<Self, Contradiction> {
        let behind = match &mut args.command {
            Some(Command::Ping(ping)) => ping.url.url.take(),
            Some(Command::Load(load)) => load.work.url.url.take(),
            _ => None,
        };
        let timeout = args.server.timeout;
        let udp = match &args.command {
            Some(Command::Ping(ping)) => ping.udp,
            Some(Command::Load(load)) => load.work.udp,
            _ => false,
        };
        let endpoint = endpoint(args.url.url, behind, args.server, udp)?;
        let messages: Vec<_> = args.message.into_iter().map(OsStringExt::into_vec).collect();
        let mode = match args.command {
            Some(command) if !messages.is_empty() => {
                return Err(Contradiction::MessageWith(match command {
                    Command::Ping(_) => "ping",
                    Command::Load(_) | Command::LoadWorker => "load",
                    Command::Completions { .. } => "completions",
                    Command::Man { .. } => "man",
                }));
            }
            Some(Command::Ping(ping)) => Mode::Ping(ping.into()),
            Some(Command::Load(load)) => Mode::Load((*load).try_into()?),
            Some(Command::LoadWorker) => Mode::LoadWorker,
            Some(Command::Completions { shell }) => Mode::Completions(shell),
            Some(Command::Man { directory }) => Mode::Manual(directory),
            None if messages.is_empty() => Mode::Converse,
            None => Mode::Messages(messages),
        };
        match (&mode, endpoint) {
            (Mode::Converse | Mode::Messages(_), at @ Endpoint::Udp(_)) => {
                Err(Contradiction::Datagrams(at))
            }
            (&Mode::Ping(PingConfig { size, .. }), Endpoint::Udp(_))
                if !(datagrams::MIN_SIZE..=datagrams::MAX_SIZE).contains(&size) =>
            {
                Err(Contradiction::DatagramSize(size))
            }
            (Mode::Load(job), at @ Endpoint::Udp(_)) => {
                job.check_for_datagrams()?;
                Ok(Self { target: Target { endpoint: at, timeout }, mode })
            }
            (_, endpoint) => Ok(Self { target: Target { endpoint, timeout }, mode }),
        }
    }
}

/// The one server that was named: by a URL before or behind a subcommand, or by flags.
fn endpoint(
    before: Option<Endpoint>,
    behind: Option<Endpoint>,
    short: ServerArgs,
    udp: bool,
) -> Result<Endpoint, Contradiction> {
    match (before, behind, short.host, short.port) {
        (Some(one), Some(other), ..) => Err(Contradiction::Twice(one, format!("'{other}'"))),
        (Some(url), _, Some(_), _) | (_, Some(url), Some(_), _) => {
            Err(Contradiction::Twice(url, "'--host'".to_owned()))
        }
        (Some(url), .., Some(_)) | (_, Some(url), _, Some(_)) => {
            Err(Contradiction::Twice(url, "'--port'".to_owned()))
        }
        (Some(url), ..) | (_, Some(url), ..) if udp && !matches!(url, Endpoint::Udp(_)) => {
            Err(Contradiction::NotUdp(url))
        }
        (Some(url), ..) | (_, Some(url), ..) => Ok(url),
        (None, None, host, port) => {
            let host = host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
            // `[::1]`, as in a URL, is meant as an address.
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = bare.unwrap_or(&host).to_owned();
            let at = HostPort { host, port: port.unwrap_or(DEFAULT_PORT) };
            Ok(if udp { Endpoint::Udp(at) } else { Endpoint::Tcp(at) })
        }
    }
}

impl From<PingArgs> for PingConfig {
    fn from(args: PingArgs) -> Self {
        let count = Some(args.count).filter(|&count| count > 0);
        Self { count, interval: args.interval, size: args.size }
    }
}

#[cfg(test)]
mod tests;
