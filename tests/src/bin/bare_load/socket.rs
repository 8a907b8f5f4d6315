//! Connecting, sending, the timer that ends a run, and waiting for connections until then.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, Event, EventData, EventFlags},
    fd::OwnedFd,
    net::{SendFlags, send},
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use socket2::{Domain, Socket, Type};

/// Event of the timer. The event of a connection is its index.
pub(crate) const TIMER: u64 = u64::MAX;

/// Event of the timer that fires for each message of a rate.
pub(crate) const TICK: u64 = u64::MAX - 1;

/// Maximum number of events per poll.
pub(crate) const EVENTS: usize = 1024;

/// Number of local addresses. A closed connection keeps its port for a minute, and an address has about thirty
/// thousand ports.
const SOURCES: usize = 200;

/// Opens the connection with this number.
pub(crate) fn connect(port: u16, number: usize) -> anyhow::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let last = u8::try_from(number % SOURCES).expect("fewer than 256") + 2;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())?;
    socket
        .connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
        .with_context(|| format!("cannot connect to port {port}"))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// Sends all bytes, and waits until the socket accepts them.
pub(crate) fn send_all(stream: &TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        let sent = send(stream, bytes, SendFlags::NOSIGNAL)?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Starts a timer that fires once, as an event of `epoll`. Dropping it stops it.
pub(crate) fn start_timer(epoll: &OwnedFd, duration: Duration) -> anyhow::Result<OwnedFd> {
    start(epoll, TIMER, duration, Duration::ZERO)
}

/// Starts a timer that fires at this interval, as the event [`TICK`]. Dropping it stops it.
pub(crate) fn start_ticks(epoll: &OwnedFd, interval: Duration) -> anyhow::Result<OwnedFd> {
    start(epoll, TICK, interval, interval)
}

fn start(
    epoll: &OwnedFd,
    event: u64,
    first: Duration,
    interval: Duration,
) -> anyhow::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let schedule = Itimerspec {
        it_interval: Timespec::try_from(interval)?,
        it_value: Timespec::try_from(first)?,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &schedule)?;
    epoll::add(epoll, &timer, EventData::new_u64(event), EventFlags::IN)?;
    Ok(timer)
}

/// The connections that are ready, one after the other, until the timer fires.
pub(crate) struct Ready {
    events: Vec<Event>,
    next: usize,
}

impl Ready {
    pub(crate) fn new() -> Self {
        Self { events: Vec::with_capacity(EVENTS), next: 0 }
    }

    /// Waits for the next connection that is ready, and returns its index. `None`: the timer has fired.
    pub(crate) fn wait(&mut self, epoll: &OwnedFd) -> anyhow::Result<Option<usize>> {
        while self.next == self.events.len() {
            self.events.clear();
            self.next = 0;
            epoll::wait(epoll, spare_capacity(&mut self.events), None)?;
        }
        let data = self.events[self.next].data.u64();
        self.next += 1;
        Ok((data != TIMER).then(|| usize::try_from(data).expect("the index of a connection")))
    }
}
