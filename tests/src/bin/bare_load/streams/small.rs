//! Connections whose bytes in flight fit into a socket: one read returns all of them, and no send waits.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::bail;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, Event, EventFlags},
    fd::OwnedFd,
    net::{RecvFlags, recv},
};

use crate::{
    args::{Args, SOCKET_CAPACITY},
    load::Load,
    measurement::Measurement,
    socket::{EVENTS, TIMER, send_all, start_timer},
};

pub(crate) struct Small {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// Length of a message.
    size: usize,
    /// Length of its echo.
    echo: usize,
    /// The messages that each connection has in flight.
    messages: Vec<u8>,
    events: Vec<Event>,
    buffer: Vec<u8>,
    has_started: bool,
}

struct Connection {
    stream: TcpStream,
    /// Number of bytes of an incomplete message that have returned.
    partial: usize,
    /// Time at which the message in flight was sent, if it is known.
    sent: Option<Instant>,
}

impl Small {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let streams = args.connect_all(&epoll, EventFlags::IN | EventFlags::ET)?;
        let connection = |stream| Connection { stream, partial: 0, sent: None };
        let connections = streams.into_iter().map(connection).collect();
        let (message, echo) = args.message()?;
        Ok(Self {
            epoll,
            connections,
            size: message.len(),
            echo,
            messages: message.repeat(args.depth.get()),
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; SOCKET_CAPACITY],
            has_started: false,
        })
    }

    /// Exchanges one message on each connection, one after the other.
    pub(crate) fn exchange_once(&mut self) -> anyhow::Result<()> {
        for connection in &self.connections {
            send_all(&connection.stream, &self.messages[..self.size])?;
            let mut left = self.echo;
            while left > 0 {
                match recv(&connection.stream, &mut self.buffer[..left], RecvFlags::empty())? {
                    (0, _) => bail!("the server has closed a connection"),
                    (len, _) => left -= len,
                }
            }
        }
        Ok(())
    }

    /// Sends a new message for each one that returns, until the timer fires.
    fn drive<const TIMED: bool>(&mut self, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let mut count = 0;
        let mut ended = false;
        // Handles the events that arrive with the timer as well: they are reported once, and a later run needs them.
        while !ended {
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), None)?;
            for event in &self.events {
                let data = event.data.u64();
                if data == TIMER {
                    ended = true;
                    continue;
                }
                let number = usize::try_from(data).expect("the index of a connection");
                let connection = &mut self.connections[number];
                let (len, _) = recv(&connection.stream, &mut self.buffer[..], RecvFlags::DONTWAIT)?;
                if len == 0 {
                    bail!("the server has closed a connection");
                }
                let bytes = connection.partial + len;
                let whole = bytes / self.echo;
                connection.partial = bytes % self.echo;
                count += whole as u64;
                if TIMED && whole > 0 {
                    measurement.lap(&mut connection.sent);
                }
                send_all(&connection.stream, &self.messages[..whole * self.size])?;
            }
        }
        Ok(count)
    }
}

impl Load for Small {
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        for connection in &mut self.connections {
            // The message in flight has waited for this run: its round trip means nothing.
            connection.sent = None;
            if !self.has_started {
                send_all(&connection.stream, &self.messages)?;
            }
        }
        self.has_started = true;
        if measurement.is_timed() {
            self.drive::<true>(measurement)
        } else {
            self.drive::<false>(measurement)
        }
    }
}
