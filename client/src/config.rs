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
    args::{Args, Command, PingArgs, ServerArgs},
    connect::Target,
    load::plan::{self, Job},
    ping::{PingConfig, datagrams},
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
        let endpoint = Endpoint::Tcp(HostPort { host: "127.0.0.1".to_owned(), port: 65432 });
        let target = Target { endpoint, timeout };
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
    fn a_url_can_stand_before_and_behind_a_subcommand() {
        for args in [
            &["unix:///run/echo.sock"][..],
            &["unix:///run/echo.sock", "-m", "x"],
            &["ping", "unix:///run/echo.sock", "--count", "1"],
            &["unix:///run/echo.sock", "ping"],
        ] {
            let endpoint = config(args).target.endpoint;
            assert_eq!(endpoint, Endpoint::Unix("/run/echo.sock".into()), "{args:?}");
        }
        assert_eq!(config(&["load", "tcp://[::1]:7"]).target.to_string(), "[::1]:7");
    }

    #[test]
    fn a_server_is_named_once() {
        for (args, named) in [
            (&["tcp://a", "--host", "b"][..], "'--host'"),
            (&["--host", "b", "ping", "tcp://a"], "'--host'"),
            (&["load", "tcp://a", "--port", "1"], "'--port'"),
            (&["tcp://a", "ping", "tcp://b:1"], "'tcp://b:1'"),
        ] {
            let args = Args::try_parse_from([&["echo-client"], args].concat()).unwrap();
            let error = Config::try_from(args).unwrap_err().to_string();
            assert_eq!(error, format!("the URL 'tcp://a:65432' cannot be used with {named}"));
        }
    }

    #[test]
    fn datagrams_are_refused_where_a_connection_is_needed() {
        for args in [&["udp://a"][..], &["udp://a", "-m", "x"]] {
            let args = Args::try_parse_from([&["echo-client"], args].concat()).unwrap();
            let error = Config::try_from(args).unwrap_err().to_string();
            assert!(error.contains("'udp://a:65432'"), "{error}");
        }
    }

    #[test]
    fn datagrams_are_asked_for_by_a_url_or_a_flag() {
        let endpoint = Endpoint::Udp(HostPort { host: "::1".to_owned(), port: 7 });
        for args in [
            &["ping", "udp://[::1]:7"][..],
            &["ping", "--udp", "udp://[::1]:7"],
            &["ping", "--udp", "--host", "::1", "--port", "7", "--size", "65507"],
        ] {
            assert_eq!(config(args).target.endpoint, endpoint, "{args:?}");
        }
        for (args, named) in [
            (
                &["ping", "--udp", "tcp://a"][..],
                "'--udp' cannot be used with the URL 'tcp://a:65432'",
            ),
            (&["ping", "--udp", "unix:///a"], "'--udp' cannot be used with the URL 'unix:///a'"),
            (&["ping", "--udp", "--size", "65508"], "16 to 65507 bytes"),
            (&["ping", "udp://a", "--size", "15"], "'--size 15'"),
        ] {
            let args = Args::try_parse_from([&["echo-client"], args].concat()).unwrap();
            let error = Config::try_from(args).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let endpoint = Endpoint::Udp(HostPort { host: "a".to_owned(), port: 7 });
        for args in [
            &["load", "udp://a:7"][..],
            &["load", "--udp", "udp://a:7"],
            &["load", "--host", "a", "--udp", "--port", "7"],
        ] {
            assert_eq!(config(args).target.endpoint, endpoint, "{args:?}");
        }
        for url in ["tcp://a:7", "unix:///a"] {
            let args = Args::try_parse_from(["echo-client", "load", "--udp", url]).unwrap();
            let error = Config::try_from(args).unwrap_err().to_string();
            assert!(error.contains("'--udp'") && error.contains(url), "{error}");
        }
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
