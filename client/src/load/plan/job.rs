//! Job of `load`: what the arguments mean together.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use common::protocol::MAX_DATAGRAM;
use jiff::Timestamp;

use super::{
    args::{LoadArgs, LoadCommand, RunArgs},
    compare_config::CompareConfig,
    report_config::{self, ReportConfig},
    room::{self, Others},
    size_range::SizeRange,
    start_time,
};
use crate::{
    load::{
        evaluate::assertion::Assertion,
        host::clock::clock_time,
        ipc::worker_config::{Pace, RoomConfig, Server, Stop, WorkerConfig},
        worker::{
            io::context::CHUNK,
            payload::block::{BLOCK_LEN, MAX_CONNECTIONS, NAME_LEN},
        },
    },
    net::target::Target,
};

/// Measured time of a load, unless given.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// Measured time of a step of a search, unless given. There are a dozen steps, and 1,000 messages per
/// second make 3,000 messages, which suffice for a p99.
const DEFAULT_STEP_DURATION: Duration = Duration::from_secs(3);

/// Warm-up of a step, unless given. Its processes and connections are new, and the first messages are slow
/// for reasons that have nothing to do with the rate.
const DEFAULT_STEP_WARMUP: Duration = Duration::from_millis(500);

/// Work of `echo-client load`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Job {
    /// Runs a load.
    Run(Plan, ReportConfig),
    /// Searches the highest rate at which the condition holds.
    FindRate(Plan, Assertion, ReportConfig),
    /// Merges reports.
    Merge(Vec<PathBuf>, ReportConfig),
    /// Compares two reports.
    Compare(CompareConfig),
}

/// Plan of a load.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Number of processes.
    pub(crate) processes: u32,
    /// Connections of each process.
    pub(crate) connections: u32,
    /// When messages are sent.
    pub(crate) pace: Pace,
    /// When the load ends.
    pub(crate) stop: Stop,
    /// Sizes of messages.
    pub(crate) sizes: SizeRange,
    /// Time at the start in which messages are not counted.
    pub(crate) warmup: Duration,
    /// Number of messages after which a connection is replaced.
    pub(crate) churn: Option<u64>,
    /// The server may end connections.
    pub(crate) expect_restart: bool,
    /// Log of the faults that the server injects, which have to be found.
    pub(crate) fault_log: Option<PathBuf>,
    /// Each connection ends with a receipt of the server.
    pub(crate) expects_receipt: bool,
    /// Seed of the payload.
    pub(crate) seed: u64,
    /// The connections are members of a room.
    pub(crate) room: Option<RoomConfig>,
    /// Time at which the load begins; `None`: when all connections are made.
    pub(crate) start_at: Option<Timestamp>,
}

/// Contradiction between the arguments of a load.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    /// Files contradict each other.
    #[error(transparent)]
    Files(#[from] report_config::Contradiction),
    /// The load cannot begin at this time.
    #[error(transparent)]
    Start(#[from] start_time::Contradiction),
    /// The arguments of a room contradict each other, or another one.
    #[error(transparent)]
    Room(#[from] room::Contradiction),
    /// Steps of a search are compared by rate, so each has a duration.
    #[error(
        "the argument '--messages <N>' cannot be used with '--find-rate <EXPR>': use '--duration <DURATION>' for each step"
    )]
    MessagesWithFindRate,
    /// A receipt has no place in this load.
    #[error("the argument '--receipt' cannot be used with '{0}': {1}")]
    ReceiptWith(&'static str, &'static str),
    /// Faults cannot be found in this load.
    #[error("the argument '--expect-faults <FAULTLOG>' cannot be used with '{0}': {1}")]
    FaultsWith(&'static str, &'static str),
    /// Messages are too short for a fault to be found.
    #[error(
        "'--expect-faults <FAULTLOG>' needs messages of at least {MIN_FAULTY_SIZE} bytes, by which they are told apart; \
         '--size <BYTES|MIN-MAX>' is {} to {}", .0.min, .0.max
    )]
    FaultySize(SizeRange),
    /// No message is due between the warm-up and the end.
    #[error(
        "'--rate <PER_SECOND>' sends no message in the measured time: use a longer '--duration <DURATION>'"
    )]
    NoMessage,
    /// The payload cannot distinguish so many connections.
    #[error("'--processes <N>' times '--connections <N>' is {0}; the maximum is {MAX_CONNECTIONS}")]
    TooManyConnections(u64),
    /// An option of streams is used over UDP.
    #[error("the argument '{0}' cannot be used over UDP: {1}")]
    OverUdp(&'static str, &'static str),
    /// A datagram cannot have this size.
    #[error(
        "the argument '--size <BYTES|MIN-MAX>' is {} to {}, and a datagram of a load has {} to {} bytes",
        .0.min, .0.max, DATAGRAM_SIZES.min, DATAGRAM_SIZES.max
    )]
    DatagramSize(SizeRange),
}

/// Sizes that datagrams may have: at least their name, at most what UDP carries.
const DATAGRAM_SIZES: SizeRange = SizeRange { min: 16, max: MAX_DATAGRAM as u32 };

/// Minimum size of messages whose loss or repetition is to be found: a block of the payload.
const MIN_FAULTY_SIZE: u32 = 32;

const _: () = assert!(MIN_FAULTY_SIZE as usize == BLOCK_LEN);

const _: () = assert!(DATAGRAM_SIZES.min as usize == NAME_LEN);
const _: () = assert!(DATAGRAM_SIZES.max as usize <= CHUNK);

impl Job {
    /// Checks that the job suits UDP.
    pub(crate) fn check_udp(&self) -> Result<(), Contradiction> {
        let (Self::Run(plan, _) | Self::FindRate(plan, ..)) = self else { return Ok(()) };
        if plan.room.is_some() {
            return Err(Contradiction::OverUdp("--room", "a member of a room is a connection"));
        }
        if plan.expects_receipt {
            let reason = "it has no connection at whose end a receipt could arrive";
            return Err(Contradiction::OverUdp("--receipt", reason));
        }
        if plan.churn.is_some() {
            let reason = "it has no connections to replace";
            return Err(Contradiction::OverUdp("--churn <MESSAGES>", reason));
        }
        if plan.expect_restart {
            let reason = "a server cannot end a connection; datagrams that it misses count as lost";
            return Err(Contradiction::OverUdp("--expect-restart", reason));
        }
        let SizeRange { min, max } = plan.sizes;
        if min < DATAGRAM_SIZES.min || DATAGRAM_SIZES.max < max {
            return Err(Contradiction::DatagramSize(plan.sizes));
        }
        Ok(())
    }

    /// Checks that the job suits a Unix socket.
    pub(crate) fn check_unix(&self) -> Result<(), Contradiction> {
        let (Self::Run(plan, _) | Self::FindRate(plan, ..)) = self else { return Ok(()) };
        if plan.fault_log.is_some() {
            let reason = "a client has no address there by which the fault log could name it";
            return Err(Contradiction::FaultsWith("unix://", reason));
        }
        Ok(())
    }
}

impl TryFrom<LoadArgs> for Job {
    type Error = Contradiction;

    fn try_from(args: LoadArgs) -> Result<Self, Contradiction> {
        match args.command {
            Some(LoadCommand::Merge { files, report }) => {
                let report = ReportConfig::resolve(report, &files)?;
                return Ok(Self::Merge(files, report));
            }
            Some(LoadCommand::Compare(args)) => return Ok(Self::Compare(args.try_into()?)),
            None => {}
        }
        let report = ReportConfig::resolve(args.report, &[])?;
        let report = ReportConfig { is_live: args.load.live, ..report };
        let plan = Plan::try_from(&args.load)?;
        Ok(match args.load.find_rate {
            Some(condition) => Self::FindRate(plan, condition, report),
            None => Self::Run(plan, report),
        })
    }
}

impl TryFrom<&RunArgs> for Plan {
    type Error = Contradiction;

    fn try_from(args: &RunArgs) -> Result<Self, Contradiction> {
        let is_search = args.find_rate.is_some();
        // An open loop has no depth: it sends what is due, however much is in flight.
        let pace = match args.rate {
            None => Pace::Depth(args.pipeline.unwrap_or(1)),
            Some(rate) => Pace::Rate(rate),
        };
        let (duration, warmup) = if is_search {
            (DEFAULT_STEP_DURATION, DEFAULT_STEP_WARMUP)
        } else {
            (DEFAULT_DURATION, Duration::ZERO)
        };
        let stop = match args.messages {
            Some(_) if is_search => return Err(Contradiction::MessagesWithFindRate),
            Some(messages) => Stop::Messages(messages),
            None => Stop::After(args.duration.unwrap_or(duration)),
        };
        check_receipt(args)?;
        check_faults(args)?;
        args.start_at.map_or(Ok(()), |start| start.check(clock_time()))?;
        let plan = Self {
            processes: args.processes,
            connections: args.connections,
            pace,
            stop,
            sizes: args.size,
            warmup: args.warmup.unwrap_or(warmup),
            churn: args.churn,
            expect_restart: args.expect_restart,
            fault_log: args.expect_faults.clone(),
            expects_receipt: args.receipt,
            seed: args.seed.unwrap_or_else(random_seed),
            room: args.room.resolve(&Others {
                processes: args.processes,
                connections: args.connections,
                sizes: args.size,
                has_churn: args.churn.is_some(),
                expects_restart: args.expect_restart,
                sends_texts: args.ws_text,
            })?,
            start_at: args.start_at.map(|start| start.0),
        };
        match plan.total_connections() {
            too_many if too_many > MAX_CONNECTIONS => {
                Err(Contradiction::TooManyConnections(too_many))
            }
            // A search chooses its rates by the duration.
            _ if !is_search && plan.is_empty() => Err(Contradiction::NoMessage),
            _ => Ok(plan),
        }
    }
}

impl Plan {
    /// Returns the number of connections of all processes.
    pub(crate) fn total_connections(&self) -> u64 {
        u64::from(self.processes) * u64::from(self.connections)
    }

    /// Returns `true` if no message of an open loop is due between the warm-up and the end.
    fn is_empty(&self) -> bool {
        let (Pace::Rate(rate), Stop::After(time)) = (self.pace, self.stop) else { return false };
        let first = (self.warmup.as_secs_f64() * rate).ceil() / rate;
        first >= self.warmup.saturating_add(time).as_secs_f64()
    }

    /// Returns the messages per second of an open loop.
    pub(crate) fn rate(&self) -> Option<f64> {
        match self.pace {
            Pace::Rate(rate) => Some(rate),
            Pace::Depth(_) => None,
        }
    }

    /// Returns the time from the start to the end, including the warm-up, unless the number of messages
    /// ends the load.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match self.stop {
            Stop::After(time) => Some(time.saturating_add(self.warmup)),
            Stop::Messages(_) => None,
        }
    }

    /// Returns the configuration of one of the processes.
    pub(crate) fn worker_config(
        &self,
        process: u32,
        server: Server,
        sources: &[IpAddr],
        target: &Target,
    ) -> WorkerConfig {
        WorkerConfig {
            server,
            tls: target.tls.as_ref().map(|tls| tls.options().clone()),
            login: target.login.as_ref().map(|login| login.credentials().clone()),
            websocket: target.websocket.clone(),
            sources: sources.to_vec(),
            process,
            processes: self.processes,
            connections: self.connections,
            seed: self.seed,
            min_size: self.sizes.min,
            max_size: self.sizes.max,
            pace: self.pace,
            stop: self.stop,
            warmup: self.warmup,
            churn: self.churn,
            expect_restart: self.expect_restart,
            expects_faults: self.fault_log.is_some(),
            expects_receipt: self.expects_receipt,
            timeout: target.timeout,
            room: self.room.clone(),
        }
    }
}

/// Checks that the connections have a place for a receipt.
fn check_receipt(args: &RunArgs) -> Result<(), Contradiction> {
    let (argument, reason) = match args {
        _ if !args.receipt => return Ok(()),
        _ if args.expect_restart => {
            ("--expect-restart", "a connection that the server ends is incomplete and is repeated")
        }
        _ if args.room.room.is_some() => {
            ("--room", "a member also receives messages of others, which no receipt covers")
        }
        _ => return Ok(()),
    };
    Err(Contradiction::ReceiptWith(argument, reason))
}

/// Checks that faults can be found in the load.
fn check_faults(args: &RunArgs) -> Result<(), Contradiction> {
    let (argument, reason) = match args {
        _ if args.expect_faults.is_none() => return Ok(()),
        _ if args.expect_restart => (
            "--expect-restart",
            "a connection that ends is a fault; use '--churn <MESSAGES>' to replace it",
        ),
        _ if args.receipt => {
            ("--receipt", "the last line of a connection with faults is no receipt")
        }
        _ if args.find_rate.is_some() => {
            ("--find-rate <EXPR>", "a rate at which faults happen is no rate of the server")
        }
        _ if args.room.room.is_some() => {
            ("--room", "a member receives messages of others, and not the echo of its own")
        }
        _ if args.size.min < MIN_FAULTY_SIZE => return Err(Contradiction::FaultySize(args.size)),
        _ => return Ok(()),
    };
    Err(Contradiction::FaultsWith(argument, reason))
}

/// Returns a random seed that is short enough to be typed again.
fn random_seed() -> u64 {
    // `std` seeds its hash maps from the system's random numbers.
    RandomState::new().hash_one(()) >> 32
}

#[cfg(test)]
mod tests;
