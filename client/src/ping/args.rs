//! Arguments of `echo-client ping`.

use std::time::Duration;

use clap::{Args, builder::RangedU64ValueParser};
use common::cli::duration;

use crate::{echo::message::MAX_MESSAGE_BYTES, endpoint::args::ServerArgs};

/// Size of a message unless given: what ping(8) sends, with its header.
const DEFAULT_SIZE: usize = 64;

/// Round trips to make.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Round trips")]
pub(crate) struct PingArgs {
    /// Use UDP instead of TCP, as udp://HOST:PORT does
    #[arg(long)]
    pub(crate) udp: bool,

    /// Number of round trips; 0 continues until Ctrl+C
    #[arg(long, short, default_value_t = 4)]
    pub(crate) count: u64,

    /// Time from the start of one round trip to the start of the next, such as 200ms or 1s
    #[arg(long, short, value_name = "DURATION", default_value = "1s")]
    #[arg(value_parser = duration)]
    pub(crate) interval: Duration,

    /// Size of a message, including its newline, which it has except over WebSocket; over UDP 16 to 65507
    #[arg(long, short, value_name = "BYTES", default_value_t = DEFAULT_SIZE)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_MESSAGE_BYTES as u64))]
    pub(crate) size: usize,

    /// Over WebSocket: send pings and wait for their pongs, in place of messages
    ///
    /// The payload of a ping has at most 125 bytes.
    #[arg(long)]
    pub(crate) ws_ping: bool,

    /// Server, and the time limit.
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Text after the help of `ping`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  echo-client ping                                        four round trips to this machine
  echo-client ping [::1]:7 --count 1 --timeout 1s         health check
  echo-client ping udp://echo.example.com:7 --size 1400   by datagrams
  echo-client ping wss://echo.example.com --ws-ping       by pings of WebSocket
  echo-client ping unix:///run/echo.sock --count 0        until Ctrl+C

Exit status:
  0  every echo returned
  1  the server was not reached, or an echo was wrong, late or missing
  2  invalid command line";
