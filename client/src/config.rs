//! What the client is to do, after the command line has been understood.
//!
//! Owns what values mean together, and refuses what contradicts itself. Must not do any of it.

use std::os::unix::ffi::OsStringExt;

use crate::{
    args::{Args, Command, PingArgs},
    connect::Target,
    load::plan::{self, Job},
    ping::PingConfig,
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
}

/// A command line that contradicts itself, by name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Messages are for a conversation.
    #[error("the argument '--message <TEXT>' cannot be used with '{0}'")]
    MessageWith(&'static str),
    /// Of a load's own arguments.
    #[error(transparent)]
    Load(#[from] plan::Contradiction),
}

impl TryFrom<Args> for Config {
    type Error = Contradiction;

    fn try_from(args: Args) -> Result<Self, Contradiction> {
        let messages: Vec<_> = args.message.into_iter().map(OsStringExt::into_vec).collect();
        let mode = match args.command {
            Some(command) if !messages.is_empty() => {
                return Err(Contradiction::MessageWith(match command {
                    Command::Ping(_) => "ping",
                    Command::Load(_) | Command::LoadWorker => "load",
                }));
            }
            Some(Command::Ping(ping)) => Mode::Ping(ping.into()),
            Some(Command::Load(load)) => Mode::Load((*load).try_into()?),
            Some(Command::LoadWorker) => Mode::LoadWorker,
            None if messages.is_empty() => Mode::Converse,
            None => Mode::Messages(messages),
        };
        let host = args.server.host;
        // `[::1]`, as in a URL, is meant as an address.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(&host).to_owned();
        let target = Target { host, port: args.server.port, timeout: args.server.timeout };
        Ok(Self { target, mode })
    }
}

impl From<PingArgs> for PingConfig {
    fn from(args: PingArgs) -> Self {
        let count = Some(args.count).filter(|&count| count > 0);
        Self { count, interval: args.interval, size: args.size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};
    use std::time::Duration;

    fn config(args: &[&str]) -> Config {
        let args = [&["echo-client"], args].concat();
        Config::try_from(Args::try_parse_from(args).unwrap()).unwrap()
    }

    fn mistake(args: &[&str]) -> String {
        Args::try_parse_from([&["echo-client"], args].concat()).unwrap_err().to_string()
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn without_arguments_it_is_a_conversation_with_the_originals_server() {
        let timeout = Duration::from_secs(5);
        let target = Target { host: "127.0.0.1".to_owned(), port: 65432, timeout };
        assert_eq!(config(&[]), Config { target, mode: Mode::Converse });
    }

    #[test]
    fn messages_are_taken_as_they_are() {
        let mode = config(&["-m", "-1 \u{e9}", "-m", ""]).mode;
        assert_eq!(mode, Mode::Messages(vec!["-1 \u{e9}".into(), Vec::new()]));
    }

    #[test]
    fn the_server_can_be_named_before_and_after_ping() {
        let before = config(&["--host", "[::1]", "--port", "7", "ping", "--count", "0"]);
        let after = config(&["ping", "--count", "0", "--port", "7", "--host", "::1"]);
        assert_eq!(before, after);
        assert_eq!(before.target.to_string(), "[::1]:7");
        let Mode::Ping(ping) = before.mode else { panic!("{:?}", before.mode) };
        assert_eq!(ping, PingConfig { count: None, interval: Duration::from_secs(1), size: 64 });
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        assert!(mistake(&["--port", "0"]).contains("0 is not in 1..=65535"));
        assert!(mistake(&["--host", ""]).contains("--host"));
        assert!(mistake(&["--timeout", "0s"]).contains("--timeout"));
        assert!(mistake(&["ping", "--size", "0"]).contains("--size"));
        let both = Args::try_parse_from(["echo-client", "-m", "x", "ping"]).unwrap();
        assert_eq!(Config::try_from(both), Err(Contradiction::MessageWith("ping")));
        let both = Args::try_parse_from(["echo-client", "-m", "x", "load"]).unwrap();
        assert_eq!(Config::try_from(both), Err(Contradiction::MessageWith("load")));
    }
}
