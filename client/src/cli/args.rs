//! The command line as it is typed.
//!
//! Owns names, help and the form of each value. What values mean together is the configuration's.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args as ArgGroup, Parser, Subcommand, ValueHint,
    builder::{NonEmptyStringValueParser, RangedU64ValueParser},
};
use common::{
    cli::{completions::Shell, duration, positive_duration},
    endpoint::Endpoint,
};

use crate::{
    load::{self, args::LoadArgs},
    ping::run as ping,
    target::server_url::server_url,
};

/// Talk to an echo server and check every byte that comes back
///
/// In a terminal it is a conversation: type a message, see its echo, type 'exit' to leave. In a pipe
/// it is a filter: everything from standard input goes to the server, everything that returns goes to
/// standard output, and the exit status says whether it was the same.
#[derive(Clone, Debug, Parser)]
#[command(name = "echo-client", version, after_long_help = EXAMPLES)]
pub struct Args {
    /// Where the server is, as a URL.
    #[command(flatten)]
    pub url: UrlArg,

    /// Where the server is, in short, and how long to wait for it.
    #[command(flatten)]
    pub server: ServerArgs,

    /// Send TEXT as a line, print its echo, and leave; may be given several times
    ///
    /// Standard input is not read. A TEXT that reads 'exit' is the last that is sent, and the server's
    /// goodbye is printed.
    #[arg(short, long = "message", value_name = "TEXT", allow_hyphen_values = true)]
    #[arg(help_heading = "Conversation")]
    pub message: Vec<OsString>,

    /// What to do instead of a conversation.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the server is, as a URL. It can stand before a subcommand or behind it.
#[derive(Clone, Debug, ArgGroup)]
pub struct UrlArg {
    /// The server, as a URL.
    #[arg(value_name = "URL", value_parser = server_url, help = URL_HELP)]
    #[arg(value_hint = ValueHint::Url, help_heading = None::<&str>)]
    pub url: Option<Endpoint>,
}

/// Where the server is in short, for every way of talking to it.
#[derive(Clone, Debug, ArgGroup)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Instead of a URL: the server's name or address [default: 127.0.0.1]
    #[arg(long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub host: Option<String>,

    /// Instead of a URL: the server's TCP port [default: 65432]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// How long to wait for the connection, and for each reply
    ///
    /// As 500ms, 2s or 1m. In a pipe it is the longest time in which no byte returns while some are
    /// under way.
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s")]
    #[arg(value_parser = positive_duration)]
    pub timeout: Duration,
}

/// The ways of talking to the server that have a name.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Measure round trips one by one, like ping(8)
    ///
    /// Each round trip sends a line and waits for exactly that line. One that is wrong, late or cut off
    /// is lost, and the next one connects again. Over UDP it is a datagram instead of a line; those that
    /// come late, twice, wrong or from elsewhere are shown, and counted in the summary. Ctrl+C ends it with
    /// the summary. The exit status is 1 if anything was lost, so that it can serve as a health check.
    #[command(after_long_help = PING_EXAMPLES)]
    Ping(PingArgs),

    /// Load the server with many processes and connections, check every byte, and say whether to
    /// believe the figures
    ///
    /// Without --rate it is a closed loop: each connection sends the next message when one has come back.
    /// With --rate it is an open loop: messages are sent on schedule, and their latency counts from the
    /// moment at which they were due. Ctrl+C ends it with a report on what was done.
    #[command(args_conflicts_with_subcommands = true, after_long_help = load::args::EXAMPLES)]
    Load(Box<LoadArgs>),

    /// Print a script that makes your shell complete the arguments of echo-client
    #[command(after_long_help = COMPLETIONS)]
    Completions {
        /// Which shell
        shell: Shell,
    },

    /// Write man pages into a directory; for packagers
    #[command(hide = true)]
    Man {
        /// It is made if need be
        directory: PathBuf,
    },

    /// A process of a load; for 'load' to start
    #[command(hide = true)]
    LoadWorker,
}

/// How to measure round trips.
#[derive(Clone, Debug, ArgGroup)]
#[command(next_help_heading = "Round trips")]
pub struct PingArgs {
    /// Where the server is.
    #[command(flatten)]
    pub url: UrlArg,

    /// By datagrams instead of over a connection; the same as udp://HOST:PORT
    #[arg(long)]
    pub udp: bool,

    /// How many round trips; 0 goes on until Ctrl+C
    #[arg(long, short, default_value_t = 4)]
    pub count: u64,

    /// From the start of one round trip to the start of the next, as 200ms or 1s
    #[arg(long, short, value_name = "DURATION", default_value = "1s")]
    #[arg(value_parser = duration)]
    pub interval: Duration,

    /// Bytes to send each time, the newline at their end included; over UDP 16 to 65507
    #[arg(long, short, value_name = "BYTES", default_value_t = ping::DEFAULT_SIZE)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=ping::MAX_SIZE as u64))]
    pub size: usize,
}

const URL_HELP: &str =
    "The server: tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH [default: tcp://127.0.0.1:65432]";

const PING_EXAMPLES: &str = "\
Examples:
  echo-client ping                                        four round trips to this machine
  echo-client ping tcp://[::1]:7 --count 1 --timeout 1s   is the server well?
  echo-client ping udp://echo.example.com:7 --size 1400   by datagrams
  echo-client ping unix:///run/echo.sock --count 0        until Ctrl+C

Exit status:
  0  every echo came back
  1  no server, or one that was wrong, late or missing
  2  a mistake on the command line";

const COMPLETIONS: &str = "\
Examples:
  source <(echo-client completions bash)                                    for this bash
  echo-client completions zsh > ~/.zfunc/_echo-client                       a directory in $fpath
  echo-client completions fish > ~/.config/fish/completions/echo-client.fish";

const EXAMPLES: &str = "\
Examples:
  echo-client                              talk to the server on this machine
  echo-client tcp://echo.example.com:7     talk to another
  echo-client unix:///run/echo.sock        talk to one on this machine by way of a file
  echo-client -m 'Hello, Server!'          send one message, print its echo
  echo-client < file | cmp - file          send a file, compare what returns
  echo-client ping --count 1 --timeout 1s  is the server well?
  echo-client load --processes 4           how much can it take?

Exit status:
  0  every byte came back (or the reader of the output left before)
  1  no server, or a wrong, late or missing reply
  2  a mistake on the command line";
