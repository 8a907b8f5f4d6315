//! Arguments of `echo-client load`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Subcommand};
use common::cli::{duration, positive_duration};

use super::{room::RoomArgs, size_range::SizeRange, start_time::StartTime};
use crate::{
    endpoint::args::ServerArgs,
    load::evaluate::{assertion::Assertion, change::ChangeAssertion},
};

/// Load, or merging of reports.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Subcommand, instead of a load.
    #[command(subcommand)]
    pub(crate) command: Option<LoadCommand>,

    /// Load to run.
    #[command(flatten)]
    pub(crate) load: RunArgs,

    /// Report of the load.
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Subcommands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LoadCommand {
    /// Merge the reports of a load that ran on several machines
    ///
    /// Histograms are added bucket by bucket, counts are summed, and the verdict is the worst one. The
    /// files may be reports (--json) and histogram logs (--histogram) in any mix. What a histogram log does
    /// not contain is reported as unknown.
    Merge {
        /// Reports (JSON) and histogram logs; '-' is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,

        /// Merged report.
        #[command(flatten)]
        report: ReportArgs,
    },

    /// Compare the report of a load with that of an earlier one, the base
    ///
    /// Each metric has its ratio, OTHER to BASE, and rate and percentiles of the latency have its 95 % confidence interval, from a
    /// bootstrap of both time series. It covers the noise within the two loads, and needs 10 whole seconds of each. From one load of
    /// the same server to the next, figures may differ more: repeat both loads, and compare each pair.
    #[command(after_long_help = CHANGES)]
    Compare(CompareArgs),
}

impl LoadCommand {
    /// Returns its name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Merge { .. } => "load merge",
            Self::Compare(_) => "load compare",
        }
    }
}

/// Comparison of two reports.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompareArgs {
    /// Report (JSON) or histogram log to compare with; '-' is standard input
    #[arg(value_name = "BASE")]
    pub(crate) base: PathBuf,

    /// Report (JSON) or histogram log to compare; '-' is standard input
    #[arg(value_name = "OTHER")]
    pub(crate) other: PathBuf,

    /// Write the comparison to FILE; docs/load-comparison.schema.json describes it
    ///
    /// If FILE is '-', the comparison goes to standard output, and the table to standard error.
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) json: Option<PathBuf>,

    /// Write the comparison to FILE, or to standard output ('-'), as a page for a browser
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) html: Option<PathBuf>,

    /// Exit with status 3 unless EXPR holds, such as 'p99<+10%' or 'rate>-5%'; may be repeated
    #[arg(long = "assert", value_name = "EXPR", value_parser = ChangeAssertion::from_str)]
    #[arg(help_heading = "Report")]
    pub(crate) assertions: Vec<ChangeAssertion>,

    /// Print only the results of the assertions, and the verdict
    #[arg(long, short, help_heading = "Report")]
    pub(crate) quiet: bool,
}

/// Load to run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct RunArgs {
    /// Use UDP, as udp://HOST:PORT does: each connection is a socket, each message a datagram
    ///
    /// Lost, reordered, duplicate and late datagrams are counted. A loss is not a failure, because the
    /// network may lose datagrams; use --assert 'lost<1%' to limit it. A datagram is lost if it does not
    /// return within --timeout; in a closed loop it counts as in flight until then.
    #[arg(long)]
    pub(crate) udp: bool,

    /// Number of worker processes, each with one event loop
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) processes: u32,

    /// Number of connections of each process
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,

    /// Measured time, after the warm-up [default: 10s; for each step of --find-rate: 3s]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    #[arg(conflicts_with = "messages")]
    pub(crate) duration: Option<Duration>,

    /// Stop when each connection has sent this many messages after the warm-up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,

    /// Size of a message, including its newline: one size, or MIN-MAX for random sizes in between
    ///
    /// Over UDP, a message is a datagram of 16 to 65507 bytes, without a newline.
    #[arg(
        long,
        value_name = "BYTES|MIN-MAX",
        default_value = "64",
        value_parser = SizeRange::from_str
    )]
    pub(crate) size: SizeRange,

    /// Number of messages that each connection has in flight, in a closed loop [default: 1]
    ///
    /// In a closed loop a connection sends its next message when one has returned. A server that pauses
    /// therefore receives less, and the percentiles understate what its users would see. An open loop
    /// (--rate, --find-rate) sends what is due, however much is in flight; there this option has no effect.
    #[arg(long, value_name = "DEPTH", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) pipeline: Option<u32>,

    /// Messages per second, of all processes together: an open loop
    ///
    /// Each message is sent at its scheduled time, whatever has returned. Its latency counts from the
    /// scheduled time, which corrects coordinated omission. What is still due at the end is sent for at most
    /// --timeout; the rest is reported as not sent.
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Replace a connection after this many messages
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) churn: Option<u64>,

    /// Expect the server to restart: reconnect when it ends a connection cleanly
    ///
    /// A server that drains echoes what it has received and then ends the stream. Messages that cross this
    /// end are sent again on the next connection, and counted as `resent`. A reset, or a server that is not
    /// back within --timeout, loses messages, and the load fails.
    #[arg(long)]
    pub(crate) expect_restart: bool,

    /// Whether a TLS connection may resume the session of an earlier one: 'off' makes each handshake a full one
    /// [default: on]
    #[arg(long, value_name = "on|off", value_parser = switch)]
    pub(crate) tls_resume: Option<bool>,

    /// Over WebSocket: send each message as a text, for servers that echo nothing else
    ///
    /// Otherwise it is a binary message. The payload is ASCII.
    #[arg(long)]
    pub(crate) ws_text: bool,

    /// Compare each connection with the client receipt at its end: the bytes that the server received and sent
    ///
    /// A difference names the side of a proxy on which bytes were lost, added or changed, and the load fails. The listener of
    /// the server needs the parameter receipt=on.
    #[arg(long)]
    pub(crate) receipt: bool,

    /// Find exactly the faults that the server has written to FAULTLOG (its --fault-log), and nothing else
    ///
    /// The load passes if each fault of its connections is found at its offset, and everything that differs is one of these faults.
    /// What the server did beyond the last byte that the client received is counted apart. The file has to be on this machine while
    /// the load runs. With --churn, a connection that a fault ends is replaced.
    ///
    /// Messages need at least 32 bytes. It is refused over unix://, where a client has no address, and with --room, --receipt,
    /// --expect-restart and --find-rate.
    #[arg(long, value_name = "FAULTLOG")]
    pub(crate) expect_faults: Option<PathBuf>,

    /// Time at the start in which messages are checked but not counted [default: 0s; with --find-rate:
    /// 500ms]
    ///
    /// With --rate, messages that are due and not sent at its end are dropped.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) warmup: Option<Duration>,

    /// Seed of the payload; the report contains it, so that a run can be repeated [default: random]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Begin at TIME: the loads of several machines that get the same TIME begin together
    ///
    /// TIME is a time with its offset (2026-11-26T20:00:00Z) or a Unix time (@1790000000), at most a day ahead; in a shell,
    /// @$(($(date +%s) + 30)) is in 30 s. The processes connect 30 s before TIME, or at once if it is nearer, and wait, so choose a
    /// TIME by which all machines are connected. A load whose connections are not made by then begins when the last one is made. Its
    /// report says how late it began. The connections carry nothing while they wait: the idle timeout of the server has to be longer
    /// than 30 s. The report says how wrong the clock of the machine may be.
    ///
    /// With --find-rate, only the first step waits.
    #[arg(long, value_name = "TIME", value_parser = StartTime::from_str)]
    pub(crate) start_at: Option<StartTime>,

    /// Room.
    #[command(flatten)]
    pub(crate) room: RoomArgs,

    /// Find the highest rate at which EXPR holds, such as 'p99<5ms'
    ///
    /// The search starts at --rate, or at 1000 per second. It doubles the rate until EXPR does not hold,
    /// halves the interval until the result is known to 5 %, and confirms it with a longer run.
    #[arg(long, value_name = "EXPR", value_parser = Assertion::from_str)]
    pub(crate) find_rate: Option<Assertion>,

    /// Server, and the time limit.
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Draw the rate, the latency, errors and connections over time while the load runs
    ///
    /// The chart is below other output on standard error, and stays above the report; that of a step of --find-rate does not. It needs a
    /// terminal of 48 columns and 14 rows; a smaller one shows the line of progress, and anything else than a terminal nothing.
    #[arg(long, conflicts_with = "quiet", help_heading = "Report")]
    pub(crate) live: bool,
}

/// Report of a load.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct ReportArgs {
    /// Write the report to FILE; docs/load-report.schema.json describes it
    ///
    /// If FILE is '-', the report goes to standard output, and the table to standard error.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write the report to FILE, or to standard output ('-'), as one page for a browser, with charts
    ///
    /// The page needs no other file and no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Write the latencies to FILE, or to standard output ('-'), in the HDR histogram log format
    #[arg(long, value_name = "FILE")]
    pub(crate) histogram: Option<PathBuf>,

    /// Exit with status 3 unless EXPR holds, such as 'p99<5ms' or 'errors=0'; may be repeated
    #[arg(long = "assert", value_name = "EXPR", value_parser = Assertion::from_str)]
    pub(crate) assertions: Vec<Assertion>,

    /// Print only the verdict and the assertions: no progress, no table
    #[arg(long)]
    pub(crate) quiet: bool,
}

fn switch(typed: &str) -> Result<bool, &'static str> {
    match typed {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected 'on' or 'off'"),
    }
}

fn rate(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(rate) if 0.0 < rate && rate <= 1e9 => Ok(rate),
        _ => Err("expected messages per second, more than 0 and at most 1e9".to_owned()),
    }
}

/// Text after the help of `load`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  echo-client load --processes 4 --connections 25       maximum throughput, for 10 s
  echo-client load --rate 20000 --assert 'p99<5ms'      20,000 messages per second, on schedule
  echo-client load --find-rate 'p99<5ms'                highest rate that keeps the limit
  echo-client load wss://echo.example.com --churn 1     WebSocket, with a handshake for each message
  echo-client load unix:///run/echo.sock                over a Unix socket
  echo-client load --udp --rate 1000 --assert 'lost<1%'  datagrams, of which some may be lost
  echo-client load --room --connections 1000 --size 100  a room of 1,000 members, of which one sends
  echo-client load --expect-faults faults.jsonl         the faults of a server with --fault-log, and no other
  echo-client load --rate 20000 --html report.html      a page with charts
  echo-client load merge a.json b.json                  one report of two machines
  echo-client load compare a.json b.json                what has changed from one load to another

Metrics of EXPR:
  latency         p50 p90 p99 p99.9 (any percentile) min mean max
  connects, lag   connect.p99 lag.max
  load            messages lost errors connects seconds rate bytes/s bytes-lost drains resent
  errors.KIND     connect reset closed timeout wrong-bytes tls truncated websocket login room message-boundary message-type unreachable
  over TLS        handshake.p99 resumed truncated (ended without close_notify)
  with --user     login.p99
  over WebSocket  ws-handshake.p99 closes unclosed (ended without close frames)
  over UDP        sent late reordered duplicates corrupt unrecognized dropped (by the client's system)
  with --room     deliveries deliveries/s gaps (lost events of which a member was told) relay-gaps missing (lost events of which it \
was not told) duplicates order wrong-texts foreign
  Operators are < <= > >= = !=. Times need a unit: ns us ms s m. lost<1%, late<1% and so on are shares of the messages that were sent.

Exit status (the first that applies):
  1  FAILED: no server, errors, lost messages (not over UDP), wrong bytes, or a failed process; \
with --room also events that are missing, duplicate or out of order; with --expect-faults only what the fault log does not \
explain
  3  an assertion does not hold, or no rate was found
  4  CLIENT-LIMITED: the client, not the server, was the limit
  0  VALID; UNKNOWN: too short to judge the client, or merged histogram logs
  2  invalid command line";

/// Text after the help of `load compare`.
const CHANGES: &str = "\
EXPR is METRIC OPERATOR CHANGE. Metrics are those of 'load --assert', operators < <= > >=. \
Equal values have not changed, also if both are 0. An assertion compares the values themselves, so the same files always \
give the same result. If its limit is within the confidence interval, the line says so.

Changes with their signs:
  p99<+10%     less than 10 % above BASE
  rate>-5%     less than 5 % below BASE
  p50<+200us   less than 200 us above BASE
  errors<=+0   not more than BASE

Exit status (the first that applies):
  1  a report cannot be read, or one of the loads is FAILED
  3  an assertion does not hold
  4  one of the loads is CLIENT-LIMITED
  0  otherwise
  2  invalid command line";

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::load::plan::start_time::CONNECT_LEAD;

    #[test]
    fn the_help_of_a_start_has_its_lead() {
        let help = LoadArgs::augment_args(Command::new("load")).render_long_help().to_string();
        let lead = CONNECT_LEAD.as_secs();
        for text in [format!("connect {lead} s before TIME"), format!("longer than {lead} s")] {
            assert!(
                help.split_whitespace().collect::<Vec<_>>().join(" ").contains(&text),
                "{help}"
            );
        }
    }

    #[test]
    fn a_rate_is_positive_and_finite() {
        assert_eq!(rate("1e3"), Ok(1000.0));
        for invalid in ["0", "-1", "inf", "NaN", "", "1e10"] {
            assert!(rate(invalid).is_err(), "{invalid:?}");
        }
    }
}
