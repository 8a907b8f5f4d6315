//! Errors of the program: those of the subcommands, wrapped.

use std::io;

use common::reason::reason;

use super::config::Config;
use crate::{chat, interactive, load, login, net, ping, pipe, stdio, tls};

/// Failure of a run. Its text is for the user, and complete: it does not need its source.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

/// Failures by the part of the program that raises them.
#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    /// TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Unusable),
    /// Nobody can log in.
    #[error(transparent)]
    Login(#[from] login::Unusable),
    /// The server cannot be reached.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// Standard input or standard output failed.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),
    /// The session in a terminal failed.
    #[error(transparent)]
    Interactive(#[from] interactive::Error),
    /// The filter, or a message from the command line, failed.
    #[error(transparent)]
    Pipe(#[from] pipe::Error),
    /// The chat failed.
    #[error(transparent)]
    Chat(#[from] chat::Error),
    /// The ping failed.
    #[error(transparent)]
    Ping(#[from] ping::Error),
    /// The load failed.
    #[error(transparent)]
    Load(#[from] load::Error),
    /// The worker process of a load failed.
    #[error("The worker process of a load failed: {}", reason(.0))]
    LoadWorker(io::Error),
    /// The man pages could not be written.
    #[error("Could not write man pages: {}", reason(.0))]
    ManPages(io::Error),
}

impl Error {
    /// Returns `true` if the name of the server has no address: it may be a misspelled subcommand.
    #[must_use]
    pub fn is_unknown_host(&self) -> bool {
        let (Kind::Net(error)
        | Kind::Interactive(interactive::Error::Net(error))
        | Kind::Chat(chat::Error::Net(error))
        | Kind::Ping(ping::Error::Net(error))
        | Kind::Load(load::Error::Net(error))) = &self.0
        else {
            return false;
        };
        matches!(
            error,
            net::Error::Connect { reason: net::unreachable::Unreachable::UnknownHost, .. }
        )
    }

    /// Returns the tip for a server that seems to expect another protocol, with the URL to use.
    #[must_use]
    pub fn tip(&self, config: &Config) -> Option<String> {
        let sign = match &self.0 {
            Kind::Interactive(interactive::Error::Echo(error))
            | Kind::Pipe(pipe::Error::Echo(error)) => error.sign(),
            Kind::Interactive(interactive::Error::Net(error))
            | Kind::Pipe(pipe::Error::Net(error)) => error.sign(),
            Kind::Chat(error) => error.sign(),
            _ => None,
        };
        config.target.tip(sign?, config.tls.is_some())
    }

    /// Returns `true` if the reader of standard output has closed it, as in `echo-client < file | head -1`:
    /// this ends the run without a failure.
    #[must_use]
    pub fn is_output_closed(&self) -> bool {
        let stdio = match &self.0 {
            Kind::Stdio(error)
            | Kind::Interactive(interactive::Error::Stdio(error))
            | Kind::Pipe(pipe::Error::Stdio(error))
            | Kind::Chat(chat::Error::Stdio(error))
            | Kind::Ping(ping::Error::Stdio(error)) => Some(error),
            _ => None,
        };
        matches!(stdio, Some(stdio::Error::OutputClosed))
    }
}
