//! `bare-load`: a minimal load client, as a reference for other clients and for servers.
//!
//! An epoll loop on one thread that keeps the same number of messages in flight on every connection. It checks no
//! byte, and it reads no clock unless `--latency` asks for round trips. It counts the bytes that return, and a timer
//! in the same epoll ends the run. The cost of another client above this one is the cost of checking and measuring.
//!
//! | module | what it owns |
//! |---|---|
//! | [`args`] | the command line |
//! | [`load`] | the interface of a way to load a server |
//! | [`streams`] | connections: whose bytes in flight fit into a socket, or do not; with one message each; on schedule |
//! | [`fan_out`] | members of a room |
//! | [`udp`] | sockets with datagrams in flight |
//! | [`wire`] | what the members of a room speak |
//! | [`socket`] | connecting, sending, the timer, and waiting |
//! | [`http`] | a request, and the length of its response |
//! | [`websocket`] | the handshake and the frame of a message |
//! | [`measurement`] | counts, round trips and processor time |

mod args;
mod fan_out;
mod http;
mod load;
mod measurement;
mod socket;
mod streams;
mod udp;
mod websocket;
mod wire;

use std::io::{self, Read as _, Write as _};

use clap::Parser as _;
use tests::system::process::raise_descriptor_limit;

use self::{
    args::{Args, Mode, SOCKET_CAPACITY},
    fan_out::FanOut,
    load::Load,
    measurement::Measurement,
    streams::{Churn, Large, OpenLoop, Small},
    udp::Udp,
};

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    raise_descriptor_limit();
    let mut load: Box<dyn Load> = match args.mode {
        Mode::Echo if args.udp.is_some() => Box::new(Udp::connect(&args)?),
        Mode::FanOut => Box::new(FanOut::connect(&args)?),
        Mode::Churn => Box::new(Churn::connect(&args)?),
        Mode::Idle => {
            let mut idle = Small::connect(&args)?;
            idle.exchange_once()?;
            return if args.controlled { hold() } else { Ok(()) };
        }
        Mode::Echo if args.rate.is_some() => Box::new(OpenLoop::connect(&args)?),
        Mode::Echo if args.in_flight().is_some_and(|bytes| bytes <= SOCKET_CAPACITY) => {
            Box::new(Small::connect(&args)?)
        }
        Mode::Echo => Box::new(Large::connect(&args)?),
    };
    let mut warm_up = 0;
    if !args.warm_up.is_zero() {
        warm_up = load.run(args.warm_up, &mut Measurement::start(args.latency)?)?;
    }
    if args.controlled {
        print("ready")?;
        io::stdin().read_line(&mut String::new())?;
    }
    let mut measurement = Measurement::start(args.latency)?;
    let count = load.run(args.duration, &mut measurement)?;
    let mut report = measurement.report(count)?;
    report["messages_in_all"] = (warm_up + count).into();
    print(&report.to_string())?;
    if args.controlled { wait_for_end_of_input() } else { Ok(()) }
}

/// Keeps the connections open until standard input ends.
fn hold() -> anyhow::Result<()> {
    print("ready")?;
    wait_for_end_of_input()
}

fn wait_for_end_of_input() -> anyhow::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
