//! Validated configuration: what the arguments mean together.
//!
//! Refuses contradictions by name. Must not run anything.

use std::{os::unix::ffi::OsStringExt, path::PathBuf};

use common::{cli::completions::Shell, endpoint::Endpoint, room::JSON_SUBPROTOCOL};

use super::args::{Args, Command};
use crate::{
    chat::config::{ChatConfig, InvalidChat, prepare},
    endpoint::{
        args::ServerArgs,
        select::{self, Server},
    },
    load::plan::job::{self, Job},
    login,
    net::target::Target,
    ping::config::{InvalidDatagramSize, InvalidPing, PingConfig},
    tls::TlsOptions,
    websocket::Format,
};

/// Configuration of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Server to connect to. Its TLS client does not exist yet.
    pub(super) target: Target,
    /// Options of TLS, if the server is named with it.
    pub(super) tls: Option<TlsOptions>,
    /// Options of a login, if somebody logs in. Its password has not been read.
    pub(super) login: Option<login::Options>,
    /// Work to do.
    pub(super) mode: Mode,
}

/// Kinds of work.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mode {
    /// Session with standard input and output: in a terminal, or in a pipe.
    Interactive,
    /// Standard input in chunks, over a WebSocket.
    Chunks,
    /// Messages from the command line, at least one.
    Messages(Vec<Vec<u8>>),
    /// Round trips.
    Ping(PingConfig),
    /// Load by many connections of many processes.
    Load(Box<Job>),
    /// Chat in a room.
    Chat(ChatConfig),
    /// Messages of a WebSocket server, back to it.
    Mirror,
    /// Worker process of a load.
    LoadWorker,
    /// Completion script for a shell.
    Completions(Shell),
    /// Man pages, into a directory.
    ManPages(PathBuf),
}

/// Contradiction on the command line, with the text for the user.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct ConfigError(#[from] Contradiction);

/// Contradictions on the command line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Contradiction {
    /// `--message` with a subcommand.
    #[error("the argument '--message <TEXT>' cannot be used with '{0}'")]
    MessageWith(&'static str),
    /// A server for a subcommand that does not connect.
    #[error("{0} cannot be used with '{1}', which needs no server")]
    ServerWith(String, &'static str),
    /// `--binary` with a subcommand.
    #[error("the argument '--binary' cannot be used with '{0}'")]
    BinaryWith(&'static str),
    /// `--receipt` before a subcommand.
    #[error("the argument '--receipt' cannot be used with '{0}'")]
    ReceiptWith(&'static str),
    /// An argument about WebSocket, or a subcommand, for a server without WebSocket.
    #[error(
        "{0} needs a server with WebSocket: name it as ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"
    )]
    WithoutWebSocket(&'static str),
    /// UDP for a session.
    #[error("a session needs a connection, and '{0}' has none: only 'ping' and 'load' support UDP")]
    SessionOverUdp(Endpoint),
    /// An option of TLS for a load without it.
    #[error(
        "'--tls-resume' needs a server with TLS: name it as tls://HOST:PORT, wss://HOST:PORT or unix:///PATH?tls=on"
    )]
    ResumeWithoutTls,
    /// The server is named in contradictory ways.
    #[error(transparent)]
    Endpoint(#[from] select::Error),
    /// A datagram of `ping` cannot have this size.
    #[error(transparent)]
    DatagramSize(#[from] InvalidDatagramSize),
    /// The arguments of a ping contradict each other.
    #[error(transparent)]
    Ping(#[from] InvalidPing),
    /// The arguments of a chat contradict each other.
    #[error(transparent)]
    Chat(#[from] InvalidChat),
    /// The arguments of a load contradict each other.
    #[error(transparent)]
    Load(#[from] job::Contradiction),
}

impl TryFrom<Args> for Config {
    type Error = ConfigError;

    fn try_from(args: Args) -> Result<Self, ConfigError> {
        Ok(Self::resolve(args)?)
    }
}

impl Config {
    fn resolve(mut args: Args) -> Result<Self, Contradiction> {
        let (server, is_udp) = match &mut args.command {
            Some(Command::Ping(ping)) => (std::mem::take(&mut ping.server), ping.udp),
            Some(Command::Load(load)) if load.command.is_none() => {
                (std::mem::take(&mut load.load.server), load.load.udp)
            }
            Some(Command::Chat(chat)) => (std::mem::take(&mut chat.server), false),
            Some(Command::Mirror(mirror)) => (std::mem::take(&mut mirror.server), false),
            Some(command) => match args.server.first() {
                Some(argument) => return Err(Contradiction::ServerWith(argument, command.name())),
                None => (ServerArgs::default(), false),
            },
            None => (ServerArgs::default(), false),
        };
        let server = std::mem::take(&mut args.server).and(server)?;
        let (timeout, is_verbose) = (server.timeout(), server.verbose);
        let mut server = server.server(is_udp)?;
        apply_flags(&args, &mut server)?;
        let Server { endpoint, tls, login, websocket } = server;
        let expects_receipt = args.receipt;
        let mode = Mode::resolve(args)?;
        mode.check(&endpoint, websocket.is_some())?;
        let target =
            Target { websocket, expects_receipt, is_verbose, ..Target::new(endpoint, timeout) };
        Ok(Self { target, tls, login, mode })
    }
}

/// Applies the flags of a mode to the layers of the connection.
fn apply_flags(args: &Args, server: &mut Server) -> Result<(), Contradiction> {
    let load = match &args.command {
        Some(Command::Load(load)) => Some(&load.load),
        _ => None,
    };
    if let Some(Command::Chat(chat)) = &args.command {
        prepare(chat, server.websocket.as_mut(), server.login.is_some())?;
    }
    match (&mut server.tls, load.and_then(|load| load.tls_resume)) {
        (Some(tls), Some(is_resuming)) => tls.is_resuming = is_resuming,
        (None, Some(_)) => return Err(Contradiction::ResumeWithoutTls),
        (_, None) => {}
    }
    if let (Some(load), Some(websocket)) = (load, &mut server.websocket)
        && load.room.check_websocket().map_err(job::Contradiction::from)?
    {
        websocket.protocols = vec![JSON_SUBPROTOCOL.to_owned()];
        websocket.is_protocol_required = true;
        websocket.format = Format::Objects;
    }
    let format = match &args.command {
        Some(Command::Mirror(_)) => Some(("'mirror'", Format::Mirror)),
        Some(Command::Load(load)) if load.load.ws_text => Some(("'--ws-text'", Format::Texts)),
        None if args.binary => Some(("'--binary'", Format::Chunks)),
        _ => None,
    };
    match (format, &mut server.websocket) {
        (Some((_, format)), Some(websocket)) => websocket.format = format,
        (Some((name, _)), None) => return Err(Contradiction::WithoutWebSocket(name)),
        (None, _) => {}
    }
    Ok(())
}

impl Mode {
    fn resolve(args: Args) -> Result<Self, Contradiction> {
        let messages: Vec<_> = args.message.into_iter().map(OsStringExt::into_vec).collect();
        Ok(match args.command {
            Some(command) if args.binary => {
                return Err(Contradiction::BinaryWith(command.name()));
            }
            Some(command) if args.receipt => {
                return Err(Contradiction::ReceiptWith(command.name()));
            }
            Some(command) if !messages.is_empty() => {
                return Err(Contradiction::MessageWith(command.name()));
            }
            Some(Command::Ping(ping)) => Self::Ping((*ping).into()),
            Some(Command::Load(load)) => Self::Load(Box::new((*load).try_into()?)),
            Some(Command::Chat(chat)) => Self::Chat((*chat).into()),
            Some(Command::Mirror(_)) => Self::Mirror,
            Some(Command::LoadWorker) => Self::LoadWorker,
            Some(Command::Completions { shell }) => Self::Completions(shell),
            Some(Command::Man { directory }) => Self::ManPages(directory),
            None if args.binary => Self::Chunks,
            None if messages.is_empty() => Self::Interactive,
            None => Self::Messages(messages),
        })
    }

    /// Checks that the work suits the server.
    fn check(&self, endpoint: &Endpoint, has_websocket: bool) -> Result<(), Contradiction> {
        let is_udp = matches!(endpoint, Endpoint::Udp(_));
        match self {
            Self::Interactive | Self::Chunks | Self::Messages(_) | Self::Chat(_) if is_udp => {
                Err(Contradiction::SessionOverUdp(endpoint.clone()))
            }
            Self::Ping(ping) => {
                ping.check_pings(has_websocket)?;
                if is_udp { Ok(ping.check_udp()?) } else { Ok(()) }
            }
            Self::Load(job) if is_udp => Ok(job.check_udp()?),
            Self::Load(job) if matches!(endpoint, Endpoint::Unix(_) | Endpoint::Abstract(_)) => {
                Ok(job.check_unix()?)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
