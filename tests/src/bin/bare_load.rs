//! `bare-load`: the least that a load client can do, to compare others with.
//!
//! An epoll loop on one thread that keeps the same number of messages under way on every connection.
//! It looks at no byte and at no clock: it counts what returns, and a timer in the same epoll ends
//! it. What a client that checks and measures costs more than this, is what checking and measuring
//! cost.

use std::{
    fs,
    io::{self, Write as _},
    net::{Ipv4Addr, TcpStream},
    num::NonZero,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use common::cli::positive_duration;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    net::{RecvFlags, SendFlags, recv, send},
    time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
        clock_gettime, timerfd_create, timerfd_settime,
    },
};
use serde_json::json;

/// The timer's event; connections have their numbers.
const TIMER: u64 = u64::MAX;

/// The most events that are taken at once.
const EVENTS: usize = 1024;

/// The most bytes that a connection may have under way: what a socket surely holds, so that no send
/// waits for a server that waits for us, and one read takes all.
const MOST_UNDER_WAY: usize = 64 * 1024;

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
}

struct Connection {
    stream: TcpStream,
    /// The bytes that have returned of a message that has not returned whole.
    partial: usize,
}

/// Processor time of this process so far: all of it exactly, and by which it is divided.
struct Cpu {
    total: Duration,
    user_ticks: f64,
    system_ticks: f64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (size, depth) = (args.size.get(), args.depth.get());
    ensure!(
        size.checked_mul(depth).is_some_and(|bytes| bytes <= MOST_UNDER_WAY),
        "--size times --depth is more than {MOST_UNDER_WAY} bytes"
    );

    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = connect(&args, &epoll)?;
    // Lines: what it loads may look for them.
    let message = [vec![b'x'; size - 1], b"\n".to_vec()].concat();
    let messages = message.repeat(depth);

    let before = Cpu::now()?;
    let begun = Instant::now();
    let timer = start_timer(args.duration)?;
    epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
    for connection in &connections {
        send_all(&connection.stream, &messages)?;
    }
    let count = drive(&epoll, &mut connections, size, &messages)?;
    let seconds = begun.elapsed().as_secs_f64();
    let (user, system) = Cpu::now()?.since(&before);

    #[expect(clippy::cast_precision_loss, reason = "52 bits of messages are more than will be")]
    let report = json!({
        "messages": count,
        "seconds": seconds,
        "rate": count as f64 / seconds,
        "client_cpu": { "seconds": user + system, "user_seconds": user, "system_seconds": system },
    });
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}

fn connect(args: &Args, epoll: &OwnedFd) -> anyhow::Result<Vec<Connection>> {
    (0..args.connections.get() as u64)
        .map(|number| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, args.port))
                .with_context(|| format!("cannot connect to port {}", args.port))?;
            stream.set_nodelay(true)?;
            let data = EventData::new_u64(number);
            epoll::add(epoll, &stream, data, EventFlags::IN | EventFlags::ET)?;
            Ok(Connection { stream, partial: 0 })
        })
        .collect()
}

/// Answers every message that returns with another one until the timer fires: how many returned.
fn drive(
    epoll: &OwnedFd,
    connections: &mut [Connection],
    size: usize,
    messages: &[u8],
) -> anyhow::Result<u64> {
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = vec![0; MOST_UNDER_WAY];
    let mut count = 0;
    loop {
        events.clear();
        epoll::wait(epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            let data = event.data.u64();
            if data == TIMER {
                return Ok(count);
            }
            let connection = &mut connections[usize::try_from(data).expect("a number of ours")];
            let (len, _) = recv(&connection.stream, &mut buffer[..], RecvFlags::DONTWAIT)?;
            if len == 0 {
                bail!("the server has closed a connection");
            }
            let bytes = connection.partial + len;
            let whole = bytes / size;
            connection.partial = bytes % size;
            count += whole as u64;
            send_all(&connection.stream, &messages[..whole * size])?;
        }
    }
}

fn send_all(stream: &TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        let sent = send(stream, bytes, SendFlags::NOSIGNAL)?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

fn start_timer(duration: Duration) -> anyhow::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let once = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec::try_from(duration)?,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    Ok(timer)
}

impl Cpu {
    fn now() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        // The name of the program is in brackets and could hold anything.
        let (_, fields) = stat.rsplit_once(')').context("the kernel's own format")?;
        let ticks = |field| -> anyhow::Result<f64> {
            let field: Option<&str> = fields.split_whitespace().nth(field);
            Ok(field.context("the kernel's own format")?.parse()?)
        };
        Ok(Self {
            total: Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?,
            // Fields 14 and 15 of all; two are before these.
            user_ticks: ticks(11)?,
            system_ticks: ticks(12)?,
        })
    }

    /// The seconds since then: in user mode, and in the kernel.
    fn since(&self, then: &Self) -> (f64, f64) {
        let total = self.total.saturating_sub(then.total).as_secs_f64();
        let user = self.user_ticks - then.user_ticks;
        let system = self.system_ticks - then.system_ticks;
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        (total * share, total * (1.0 - share))
    }
}
