//! Connections that send on schedule, whatever has returned.

use std::{
    collections::VecDeque,
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, Event, EventFlags},
    fd::OwnedFd,
    io::{Errno, read},
    net::{RecvFlags, recv},
};

use crate::{
    args::{Args, SOCKET_CAPACITY},
    load::Load,
    measurement::Measurement,
    socket::{EVENTS, TICK, TIMER, send_all, start_ticks, start_timer},
};

/// Minimum interval of the timer. What has become due since the last tick is sent together, and an event of a
/// connection sends what is due as well.
const MIN_TICK: Duration = Duration::from_micros(50);

/// Connections that take turns in sending.
pub(crate) struct OpenLoop {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    message: Vec<u8>,
    /// Length of the echo of a message.
    echo: usize,
    /// Time between two messages.
    interval: Duration,
    events: Vec<Event>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Number of bytes of an incomplete echo.
    partial: usize,
    /// Times at which the messages in flight were due.
    due: VecDeque<Instant>,
}

/// The messages of a run.
struct Schedule {
    /// Time at which the next one is due.
    next: Instant,
    /// Number of messages so far.
    count: usize,
}

impl OpenLoop {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let rate = args.rate.context("an open loop needs a rate")?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let streams = args.connect_all(&epoll, EventFlags::IN | EventFlags::ET)?;
        let connection = |stream| Connection { stream, partial: 0, due: VecDeque::new() };
        let connections = streams.into_iter().map(connection).collect();
        let (message, echo) = args.message()?;
        ensure!(message.len() <= SOCKET_CAPACITY, "a message is too large for an open loop");
        Ok(Self {
            epoll,
            connections,
            message,
            echo,
            interval: Duration::from_secs(1) / rate.get(),
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; SOCKET_CAPACITY],
        })
    }

    /// Sends the messages that are due.
    fn send_due(&mut self, schedule: &mut Schedule) -> anyhow::Result<()> {
        let now = Instant::now();
        while schedule.next <= now {
            let index = schedule.count % self.connections.len();
            let connection = &mut self.connections[index];
            connection.due.push_back(schedule.next);
            send_all(&connection.stream, &self.message)?;
            schedule.next += self.interval;
            schedule.count += 1;
        }
        Ok(())
    }

    /// Receives what has arrived on a connection; returns the number of messages.
    fn receive(&mut self, number: usize, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let connection = &mut self.connections[number];
        let mut count = 0;
        loop {
            let len = match recv(&connection.stream, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => bail!("the server has closed a connection"),
                Ok((len, _)) => len,
                Err(Errno::AGAIN) => return Ok(count),
                Err(error) => return Err(error.into()),
            };
            let now = Instant::now();
            let bytes = connection.partial + len;
            connection.partial = bytes % self.echo;
            for _ in 0..bytes / self.echo {
                let due = connection.due.pop_front().context("more returned than was sent")?;
                measurement.record(now - due);
                count += 1;
            }
            if len < self.buffer.len() {
                return Ok(count);
            }
        }
    }

    /// Receives the echoes that are still in flight: they belong to no later run.
    fn finish(&mut self) -> anyhow::Result<()> {
        for connection in &mut self.connections {
            let mut left = connection.due.len() * self.echo - connection.partial;
            while left > 0 {
                let part = left.min(self.buffer.len());
                match recv(&connection.stream, &mut self.buffer[..part], RecvFlags::empty())? {
                    (0, _) => bail!("the server has closed a connection"),
                    (len, _) => left -= len,
                }
            }
            connection.due.clear();
            connection.partial = 0;
        }
        Ok(())
    }
}

impl Load for OpenLoop {
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        let ticks = start_ticks(&self.epoll, self.interval.max(MIN_TICK))?;
        let mut schedule = Schedule { next: Instant::now(), count: 0 };
        let (mut count, mut ended) = (0, false);
        while !ended {
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), None)?;
            for index in 0..self.events.len() {
                match self.events[index].data.u64() {
                    TIMER => ended = true,
                    TICK => {
                        read(&ticks, &mut [0; 8])?;
                    }
                    data => {
                        let number = usize::try_from(data).expect("the index of a connection");
                        count += self.receive(number, measurement)?;
                    }
                }
                self.send_due(&mut schedule)?;
            }
        }
        self.finish()?;
        Ok(count)
    }
}
