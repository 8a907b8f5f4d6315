//! Arguments of the program, as typed.
//!
//! Owns names, help, and the form of each value. The [configuration](super::config) decides what they mean
//! together.

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand};
use common::cli::completions::Shell;

use crate::{
    chat::args::{self as chat_args, ChatArgs},
    endpoint::args::ServerArgs,
    load::plan::args::{self as load_args, LoadArgs, LoadCommand},
    ping::{self, args::PingArgs},
};

/// Talk to an echo server and check every byte that comes back
///
/// In a terminal it is an interactive session: type a message, see its echo, type 'exit' to leave. In a
/// pipe it is a filter: it sends standard input to the server, writes what returns to standard output, and
/// its exit status tells whether both were the same.
#[derive(Clone, Debug, Parser)]
#[command(name = "echo-client", version, after_long_help = EXAMPLES)]
pub struct Args {
    /// Server, and the time limit.
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Send TEXT as a line, print its echo, and exit; may be repeated
    ///
    /// Standard input is not read. A TEXT that reads 'exit' is the last that is sent, and the server's
    /// goodbye is printed.
    #[arg(short, long = "message", value_name = "TEXT", allow_hyphen_values = true)]
    #[arg(help_heading = "Messages")]
    pub(crate) message: Vec<OsString>,

    /// Over WebSocket: send standard input as binary messages, in chunks as they are read
    ///
    /// Otherwise each line is a message without its newline: a text if it is UTF-8, binary if it is not. With --binary,
    /// no line ends the session.
    #[arg(long, conflicts_with = "message", help_heading = "Messages")]
    pub(crate) binary: bool,

    /// Compare the client receipt of the server with what this client sent and received
    ///
    /// The server sends a client receipt at the end of the connection: the number of bytes and a SHA-256 of each direction.
    /// A difference names the side of a proxy on which bytes were lost, added or changed, and the exit status is 1. The
    /// listener of the server needs the parameter receipt=on.
    #[arg(long, help_heading = "Messages")]
    pub(crate) receipt: bool,

    /// Subcommand, instead of a session.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Subcommands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure round trips one by one, like ping(8)
    ///
    /// Each round trip sends a line and waits for exactly that line. A reply that is wrong, late or cut off
    /// is lost, and the next round trip reconnects. Over UDP, a datagram takes the place of the line;
    /// replies that are late, duplicate, wrong or stray are printed, and counted in the summary. Ctrl+C
    /// ends the run with the summary. The exit status is 1 if a reply was lost, so ping can serve as a
    /// health check.
    #[command(after_long_help = ping::args::EXAMPLES)]
    Ping(Box<PingArgs>),

    /// Load the server with many processes and connections, check every byte, and give a verdict
    ///
    /// Without --rate it is a closed loop: each connection sends its next message when one has returned.
    /// With --rate it is an open loop: messages are sent on schedule, and their latency counts from the
    /// scheduled time. The verdict tells whether the result is valid, or limited by this client. Ctrl+C
    /// ends the run with a report on what was measured.
    #[command(args_conflicts_with_subcommands = true, after_long_help = load_args::EXAMPLES)]
    Load(Box<LoadArgs>),

    /// Chat in a room of the server
    ///
    /// In a terminal it is full-screen: the conversation, a status bar, and the line that you type. Otherwise it sends the
    /// lines of standard input, prints each event of the room as a line, and ends when the room has returned its messages.
    /// The server needs a listener with protocol=room in its URL.
    #[command(after_long_help = chat_args::EXAMPLES)]
    Chat(Box<ChatArgs>),

    /// Send every message of a WebSocket server back to it, until it closes
    ///
    /// The client takes the part of the echo server, for servers that send first, such as the fuzzing server of
    /// Autobahn. A message keeps its type, and may return in other fragments. The exit status is 1 if the server
    /// broke the protocol, or closed with a code that tells a failure.
    #[command(after_long_help = MIRROR_EXAMPLES)]
    Mirror(Box<MirrorArgs>),

    /// Print a script that completes the arguments of echo-client in your shell
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Shell to complete in
        shell: Shell,
    },

    /// Write man pages into a directory; for packagers
    #[command(hide = true)]
    Man {
        /// Directory; it is created if it does not exist
        directory: PathBuf,
    },

    /// Worker process of a load; 'load' starts it
    #[command(hide = true)]
    LoadWorker,
}

/// Arguments of `mirror`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MirrorArgs {
    /// Server, and the time limit.
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

impl Command {
    /// Returns its name on the command line.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ping(_) => "ping",
            Self::Load(load) => load.command.as_ref().map_or("load", LoadCommand::name),
            Self::LoadWorker => "load",
            Self::Chat(_) => "chat",
            Self::Mirror(_) => "mirror",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }
}

const MIRROR_EXAMPLES: &str = "\
Examples:
  echo-client mirror wss://service.example.com/socket
  echo-client mirror 'ws://127.0.0.1:9001/runCase?case=1&agent=echo-client'    a case of Autobahn";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(echo-client completions bash)                                    for this bash session
  echo-client completions zsh > ~/.zfunc/_echo-client                       a directory in $fpath
  echo-client completions fish > ~/.config/fish/completions/echo-client.fish";

const EXAMPLES: &str = "\
Examples:
  echo-client                              session with the server on this machine
  echo-client echo.example.com:7           session with another server
  echo-client ::1 7                        address and port, as nc takes them
  echo-client unix:///run/echo.sock        session over a Unix socket
  echo-client tls://echo.example.com:7     session over TLS
  echo-client wss://echo.example.com/path  session over WebSocket with TLS
  echo-client -m 'Hello, Server!'          send one message, print its echo
  echo-client < file | cmp - file          send a file, compare what returns
  echo-client ping --count 1 --timeout 1s  health check
  echo-client load --processes 4           measure the maximum throughput

Exit status:
  0  every byte returned (or the reader of the output closed it)
  1  the server was not reached, or a reply was wrong, late or missing
  2  invalid command line";
