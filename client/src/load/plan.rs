//! What a load is to be, after its command line has been understood.
//!
//! Owns what the values mean together, and refuses what contradicts itself. Must not know processes.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    time::Duration,
};

use common::protocol::MAX_DATAGRAM;

use crate::load::{
    args::{LoadArgs, LoadCommand, ResultArgs, Sizes, WorkArgs},
    evaluate::assertion::Assertion,
    ipc::wire::{Order, Pace, Server, Stop},
    worker::{
        context::CHUNK,
        payload::{MAX_CONNECTIONS, NAME},
    },
};

/// How long a load is measured unless told otherwise.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// The same for a step in the search of a rate, of which there are a dozen: 1,000 messages a second
/// make 3,000, of which a p99 can be told.
pub const DEFAULT_STEP: Duration = Duration::from_secs(3);

/// The warm-up of a step unless told otherwise: its processes and connections are new, and what is slow
/// about the first messages says nothing about the rate.
pub const DEFAULT_STEP_WARMUP: Duration = Duration::from_millis(500);

/// What `echo-client load` is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// A load.
    Run(Plan, ResultArgs),
    /// Loads, until the highest rate is known at which this holds.
    FindRate(Plan, Assertion, ResultArgs),
    /// One report of several.
    Merge(Vec<std::path::PathBuf>, ResultArgs),
}

/// A load.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How many processes.
    pub processes: u32,
    /// Connections of each.
    pub connections: u32,
    /// When messages are sent.
    pub pace: Pace,
    /// When it is over.
    pub stop: Stop,
    /// The sizes of messages.
    pub sizes: Sizes,
    /// What is not counted at the beginning.
    pub warmup: Duration,
    /// After how many messages to connect anew.
    pub churn: Option<u64>,
    /// Whether the server may end connections.
    pub expect_restart: bool,
    /// What the payload is made from.
    pub seed: u64,
}

/// A load that contradicts itself, by name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// One would overwrite the other.
    #[error("'--json <FILE>' and '--histogram <FILE>' name the same file")]
    SameFile,
    /// Its messages would be counted twice.
    #[error("the file '{0}' is given twice")]
    FileTwice(String),
    /// Steps are compared by the rate at which they run for a time.
    #[error(
        "the argument '--messages <N>' cannot be used with '--find-rate <EXPR>': its steps take a time each, '--duration <DURATION>'"
    )]
    MessagesWithFindRate,
    /// More than the payload can tell apart.
    #[error(
        "'--processes <N>' times '--connections <N>' is {0}; {MAX_CONNECTIONS} is the most that can be told apart"
    )]
    TooManyConnections(u64),
    /// Something of streams, over datagrams.
    #[error("the argument '{0}' cannot be used over UDP: {1}")]
    OverUdp(&'static str, &'static str),
    /// A datagram that cannot be.
    #[error(
        "the argument '--size <BYTES|MIN-MAX>' is {} to {}, and a datagram of a load has from {}, to say which it is, to {}, the most that UDP carries",
        .0.min, .0.max, DATAGRAMS.min, DATAGRAMS.max
    )]
    DatagramSize(Sizes),
}

/// The sizes that datagrams may have: from the name that each begins with, to the longest there is.
pub const DATAGRAMS: Sizes = Sizes { min: 16, max: MAX_DATAGRAM as u32 };

const _: () = assert!(DATAGRAMS.min as usize == NAME && DATAGRAMS.max as usize <= CHUNK);

impl Job {
    /// Whether it can be done over datagrams.
    ///
    /// # Errors
    ///
    /// What cannot.
    pub fn check_udp(&self) -> Result<(), Contradiction> {
        let (Self::Run(plan, _) | Self::FindRate(plan, ..)) = self else { return Ok(()) };
        if plan.churn.is_some() {
            let reason = "there is no connection to be made anew";
            return Err(Contradiction::OverUdp("--churn <MESSAGES>", reason));
        }
        if plan.expect_restart {
            let reason =
                "a server that leaves says nothing; what it misses is lost, and is counted";
            return Err(Contradiction::OverUdp("--expect-restart", reason));
        }
        let Sizes { min, max } = plan.sizes;
        if min < DATAGRAMS.min || DATAGRAMS.max < max {
            return Err(Contradiction::DatagramSize(plan.sizes));
        }
        Ok(())
    }
}

impl TryFrom<LoadArgs> for Job {
    type Error = Contradiction;

    fn try_from(args: LoadArgs) -> Result<Self, Contradiction> {
        if let Some(LoadCommand::Merge { files, results }) = args.command {
            let twice = files.iter().enumerate().find(|(at, file)| files[..*at].contains(file));
            if let Some((_, file)) = twice {
                return Err(Contradiction::FileTwice(file.display().to_string()));
            }
            return one_file_each(results).map(|results| Self::Merge(files, results));
        }
        let results = one_file_each(args.results)?;
        let plan = Plan::try_from(&args.work)?;
        Ok(match args.work.find_rate {
            Some(condition) => Self::FindRate(plan, condition, results),
            None => Self::Run(plan, results),
        })
    }
}

fn one_file_each(results: ResultArgs) -> Result<ResultArgs, Contradiction> {
    if results.json.is_some() && results.json == results.histogram {
        return Err(Contradiction::SameFile);
    }
    Ok(results)
}

impl TryFrom<&WorkArgs> for Plan {
    type Error = Contradiction;

    fn try_from(args: &WorkArgs) -> Result<Self, Contradiction> {
        let searches = args.find_rate.is_some();
        // An open loop has no depth: it sends what is due, however much is under way.
        let pace = match args.rate {
            None => Pace::Depth(args.pipeline.unwrap_or(1)),
            Some(rate) => Pace::Rate(rate),
        };
        let (time, warmup) = if searches {
            (DEFAULT_STEP, DEFAULT_STEP_WARMUP)
        } else {
            (DEFAULT_DURATION, Duration::ZERO)
        };
        let stop = match args.messages {
            Some(_) if searches => return Err(Contradiction::MessagesWithFindRate),
            Some(messages) => Stop::Messages(messages),
            None => Stop::After(args.duration.unwrap_or(time)),
        };
        let plan = Self {
            processes: args.processes,
            connections: args.connections,
            pace,
            stop,
            sizes: args.size,
            warmup: args.warmup.unwrap_or(warmup),
            churn: args.churn,
            expect_restart: args.expect_restart,
            seed: args.seed.unwrap_or_else(random_seed),
        };
        match plan.all_connections() {
            too_many if too_many > MAX_CONNECTIONS => {
                Err(Contradiction::TooManyConnections(too_many))
            }
            _ => Ok(plan),
        }
    }
}

impl Plan {
    /// The connections of all processes.
    #[must_use]
    pub fn all_connections(&self) -> u64 {
        u64::from(self.processes) * u64::from(self.connections)
    }

    /// The messages a second that were asked for, in an open loop.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        match self.pace {
            Pace::Rate(rate) => Some(rate),
            Pace::Depth(_) => None,
        }
    }

    /// Its end by the clock, from the start on, if it has one.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        match self.stop {
            Stop::After(time) => Some(time.saturating_add(self.warmup)),
            Stop::Messages(_) => None,
        }
    }

    /// What one of the processes is to do.
    #[must_use]
    pub fn order(
        &self,
        process: u32,
        server: Server,
        sources: &[IpAddr],
        timeout: Duration,
    ) -> Order {
        Order {
            server,
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
            timeout,
        }
    }
}

/// A seed that differs from run to run, and is short enough to be typed again.
fn random_seed() -> u64 {
    // std seeds its hash maps from the system's randomness.
    RandomState::new().hash_one(()) >> 32
}

#[cfg(test)]
mod tests;
