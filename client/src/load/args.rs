//! The command line of `echo-client load` as it is typed.
//!
//! Owns names, help and the form of each value. What values mean together is the plan's.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Subcommand};
use common::cli::{duration, positive_duration};

use crate::load::evaluate::assertion::Assertion;
use crate::{echo::message::MAX_MESSAGE_BYTES, target::args::UrlArg};

/// A load, or what becomes of its reports.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// What to do instead of a load.
    #[command(subcommand)]
    pub command: Option<LoadCommand>,

    /// The load.
    #[command(flatten)]
    pub work: WorkArgs,

    /// What becomes of its figures.
    #[command(flatten)]
    pub results: ResultArgs,
}

/// What can be done with reports.
#[derive(Clone, Debug, Subcommand)]
pub enum LoadCommand {
    /// Make one report of several: of a load that was spread over machines
    ///
    /// Histograms are added bucket by bucket and counts are summed; the verdict is the worst of them.
    /// Takes what --json and --histogram have written, also mixed. What a histogram log does not say
    /// is said to be unknown.
    Merge {
        /// Reports (JSON) and histogram logs
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,

        /// What becomes of the figures.
        #[command(flatten)]
        results: ResultArgs,
    },
}

/// A load.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub struct WorkArgs {
    /// Where the server is.
    #[command(flatten)]
    pub url: UrlArg,

    /// Load a UDP server, as udp://HOST:PORT does: each connection is a socket, each message a datagram
    ///
    /// What was lost, reordered, duplicated and late is counted. Loss is no failure, as the network may
    /// lose datagrams: --assert 'lost<1%' makes it one. A datagram is lost when it is not back within
    /// --timeout; in a closed loop it keeps its place until then.
    #[arg(long)]
    pub udp: bool,

    /// Processes that make the load, each with one event loop
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub processes: u32,

    /// Connections of each process
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,

    /// How long to measure, after the warm-up [default: 10s; of each step of --find-rate: 3s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    #[arg(conflicts_with = "messages")]
    pub duration: Option<Duration>,

    /// Stop when each connection has sent this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,

    /// Bytes of a message, newline included: one size, or MIN-MAX for sizes in between
    ///
    /// Over UDP, a message is a datagram of 16 to 65507 bytes, without a newline.
    #[arg(long, value_name = "BYTES|MIN-MAX", default_value = "64", value_parser = Sizes::from_str)]
    pub size: Sizes,

    /// Messages that each connection has under way; for a closed loop [default: 1]
    ///
    /// In a closed loop a connection sends the next message when one has come back. So a server that
    /// pauses is also asked less, and the percentiles understate what its users would see: --rate does
    /// not. An open loop (--rate, --find-rate) sends what is due, however much is under way: there it
    /// has no effect.
    #[arg(long, value_name = "DEPTH", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub pipeline: Option<u32>,

    /// Messages a second, of all processes together: an open loop
    ///
    /// Every message has a moment at which it is due, and is sent then, whatever has come back. Its
    /// latency counts from that moment, which corrects what is known as coordinated omission.
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    pub rate: Option<f64>,

    /// Connect anew after this many messages
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub churn: Option<u64>,

    /// The server may be restarted meanwhile: connect anew where it ends a connection cleanly
    ///
    /// A server that drains sends back what it had received and then ends the stream. Messages that
    /// crossed that end are sent again on the next connection, and counted as `resent`; what a reset, or
    /// a server that stays away for --timeout, costs is lost, and the load has failed.
    #[arg(long)]
    pub expect_restart: bool,

    /// Check, but do not count, what is sent within this time [default: 0s; of --find-rate: 500ms]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub warmup: Option<Duration>,

    /// What the payload is made from; the report names it, so that a run can be repeated
    /// [default: random]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,

    /// Search the highest rate at which EXPR holds, as 'p99<5ms'
    ///
    /// Starts at --rate, or at 1000 a second, doubles it until EXPR does not hold, halves the interval
    /// until the answer is known to 5 %, and confirms it with a longer run.
    #[arg(long, value_name = "EXPR", value_parser = Assertion::from_str)]
    pub find_rate: Option<Assertion>,
}

/// What becomes of the figures.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Report")]
pub struct ResultArgs {
    /// Write the report to FILE, as docs/load-report.schema.json describes it
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the latencies to FILE, in the HDR histogram log format
    #[arg(long, value_name = "FILE")]
    pub histogram: Option<PathBuf>,

    /// End with status 3 unless EXPR holds, as 'p99<5ms' or 'errors=0'; may be given several times
    #[arg(long = "assert", value_name = "EXPR", value_parser = Assertion::from_str)]
    pub assertions: Vec<Assertion>,

    /// Show no progress, and of the report only the last lines: verdict and assertions
    #[arg(long)]
    pub quiet: bool,
}

/// The sizes that messages may have, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The fewest.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let (min, max) = typed.split_once('-').unwrap_or((typed, typed));
        match (min.parse(), max.parse()) {
            (Ok(min), Ok(max)) if 1 <= min && min <= max && max as usize <= MAX_MESSAGE_BYTES => {
                Ok(Self { min, max })
            }
            _ => Err(format!("expected 1 to {MAX_MESSAGE_BYTES}, or two such numbers as MIN-MAX")),
        }
    }
}

fn rate(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(rate) if 0.0 < rate && rate <= 1e9 => Ok(rate),
        _ => Err("expected messages a second, more than 0 and at most 1e9".to_owned()),
    }
}

/// Below the help of `load`.
pub const EXAMPLES: &str = "\
Examples:
  echo-client load --processes 4 --connections 25       as fast as the server answers, for 10 s
  echo-client load --rate 20000 --assert 'p99<5ms'      20,000 messages a second, on schedule
  echo-client load --find-rate 'p99<5ms'                how many are too many?
  echo-client load unix:///run/echo.sock                over a Unix socket
  echo-client load --udp --rate 1000 --assert 'lost<1%' datagrams, of which some may be lost
  echo-client load merge a.json b.json                  one report of two machines

Metrics of EXPR:
  p50 p90 p99 p99.9 (any percentile) min mean max        latency; after connect. or lag. of those
  messages lost errors connects seconds rate bytes/s     errors.KIND: connect reset closed timeout
  bytes-lost drains resent                               wrong-bytes unreachable
  sent late reordered duplicates corrupt strangers       over UDP; dropped: by the client's own sockets
  lost<1% and the like are shares of what was sent
  operators < <= > >= = !=; times need a unit: ns us ms s m

Exit status (the first that applies):
  1  FAILED: no server, or errors, lost messages (but over UDP), wrong bytes, a process that died
  3  an assertion does not hold, or no rate was found
  4  CLIENT-LIMITED: the figures say more about this client than about the server
  0  VALID
  2  a mistake on the command line";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_or_two() {
        assert_eq!("64".parse(), Ok(Sizes { min: 64, max: 64 }));
        assert_eq!("1-16777216".parse(), Ok(Sizes { min: 1, max: 16_777_216 }));
        for wrong in ["", "0", "0-5", "9-5", "-5", "5-", "1-2-3", "16777217", "64k"] {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_rate_is_positive_and_finite() {
        assert_eq!(rate("1e3"), Ok(1000.0));
        for wrong in ["0", "-1", "inf", "NaN", "", "1e10"] {
            assert!(rate(wrong).is_err(), "{wrong:?}");
        }
    }
}
