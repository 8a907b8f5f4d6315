//! `bare-load`: the least that a load client can do, to compare others with, and servers by.
//!
//! An epoll loop on one thread that keeps the same number of messages under way on every connection.
//! It looks at no byte, and at no clock unless it is asked for round trips: it counts what returns,
//! and a timer in the same epoll ends it. What a client that checks and measures costs more than
//! this, is what checking and measuring cost.
//!
//! | module | what it owns |
//! |---|---|
//! | [`steady`] | connections that have less under way than a socket holds |
//! | [`stream`] | those that have more |
//! | [`churn`] | connect, echo, close, and again |
//! | [`socket`] | connections, the timer, and sending |
//! | [`report`] | what is counted, and what it cost |

mod churn;
mod report;
mod socket;
mod steady;
mod stream;

use std::{
    io::{self, Read as _, Write as _},
    num::NonZero,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use common::cli::{duration, positive_duration};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::{churn::Churn, report::Watch, steady::Steady, stream::Stream};

/// The most bytes that a connection may have under way so that a socket surely holds them: no send
/// waits for a server that waits for us, and one read takes all.
const HELD_BY_SOCKET: usize = 64 * 1024;

/// A bare epoll load loop that checks nothing, to compare others with
#[derive(Debug, Parser)]
struct Args {
    /// The echo server's port on 127.0.0.1
    #[arg(long)]
    port: u16,

    /// How many connections
    #[arg(long, default_value = "50")]
    connections: NonZero<usize>,

    /// The bytes of a message
    #[arg(long, default_value = "64")]
    size: NonZero<usize>,

    /// How many messages each connection keeps under way
    #[arg(long, default_value = "1")]
    depth: NonZero<usize>,

    /// How long, as 500ms or 3s
    #[arg(long, default_value = "3s", value_parser = positive_duration)]
    duration: Duration,

    /// How long to do the same before, uncounted
    #[arg(long, default_value = "0s", value_parser = duration)]
    warm_up: Duration,

    /// What connections do
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,

    /// Measure round trips, too; only at a depth of 1
    #[arg(long)]
    latency: bool,

    /// Say `ready` when all is connected and warm, begin at a line on standard input, and keep the
    /// connections until it ends
    #[arg(long)]
    controlled: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Send, wait for the echo, and again
    #[default]
    Echo,
    /// Connect, send, wait for the echo, close, and again
    Churn,
    /// One message on each connection, and then nothing
    Idle,
}

/// A way to load a server: it can be run several times, and goes on where it was.
trait Load {
    /// Runs for so long: how many messages returned whole. Round trips go to `watch`, if asked for.
    fn run(&mut self, duration: Duration, watch: &mut Watch) -> anyhow::Result<u64>;
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    raise_descriptor_limit()?;
    let mut load: Box<dyn Load> = match args.mode {
        Mode::Churn => Box::new(Churn::connect(&args)?),
        Mode::Idle => {
            let mut idle = Steady::connect(&args)?;
            idle.round()?;
            return if args.controlled { hold() } else { Ok(()) };
        }
        Mode::Echo if args.under_way().is_some_and(|bytes| bytes <= HELD_BY_SOCKET) => {
            Box::new(Steady::connect(&args)?)
        }
        Mode::Echo => Box::new(Stream::connect(&args)?),
    };
    let mut before = 0;
    if !args.warm_up.is_zero() {
        before = load.run(args.warm_up, &mut Watch::new(args.latency)?)?;
    }
    if args.controlled {
        say("ready")?;
        io::stdin().read_line(&mut String::new())?;
    }
    let mut watch = Watch::new(args.latency)?;
    let count = load.run(args.duration, &mut watch)?;
    let mut report = watch.report(count)?;
    report["messages_in_all"] = (before + count).into();
    say(&report.to_string())?;
    if args.controlled { wait_for_end() } else { Ok(()) }
}

/// Keeps the connections until whoever controls this has seen enough.
fn hold() -> anyhow::Result<()> {
    say("ready")?;
    wait_for_end()
}

fn wait_for_end() -> anyhow::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// As many descriptors as there may ever be: one for each connection.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

impl Args {
    /// The bytes that each connection has under way.
    fn under_way(&self) -> Option<usize> {
        self.size.get().checked_mul(self.depth.get())
    }

    /// A message: a line, for what it loads may look for lines.
    fn message(&self) -> Vec<u8> {
        let mut message = vec![b'x'; self.size.get()];
        message[self.size.get() - 1] = b'\n';
        message
    }
}
