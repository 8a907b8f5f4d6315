//! Connections that have less under way than a socket holds: one read takes all of it, and no send
//! waits.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::bail;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, Event, EventData, EventFlags},
    fd::OwnedFd,
    net::{RecvFlags, recv},
};

use crate::{
    Args, HELD_BY_SOCKET, Load,
    report::Watch,
    socket::{EVENTS, TIMER, connect, send_all, start_timer},
};

pub(crate) struct Steady {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    size: usize,
    /// As many as each connection has under way.
    messages: Vec<u8>,
    events: Vec<Event>,
    buffer: Vec<u8>,
    begun: bool,
}

struct Connection {
    stream: TcpStream,
    /// The bytes that have returned of a message that has not returned whole.
    partial: usize,
    /// When the message was sent that is under way, if that is to be known.
    sent: Option<Instant>,
}

impl Steady {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for number in 0..args.connections.get() {
            let stream = connect(args.port, number)?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&epoll, &stream, data, EventFlags::IN | EventFlags::ET)?;
            connections.push(Connection { stream, partial: 0, sent: None });
        }
        Ok(Self {
            epoll,
            connections,
            size: args.size.get(),
            messages: args.message().repeat(args.depth.get()),
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; HELD_BY_SOCKET],
            begun: false,
        })
    }

    /// One message on each connection, one after the other.
    pub(crate) fn round(&mut self) -> anyhow::Result<()> {
        for connection in &self.connections {
            send_all(&connection.stream, &self.messages[..self.size])?;
            let mut left = self.size;
            while left > 0 {
                match recv(&connection.stream, &mut self.buffer[..left], RecvFlags::empty())? {
                    (0, _) => bail!("the server has closed a connection"),
                    (len, _) => left -= len,
                }
            }
        }
        Ok(())
    }

    /// Answers every message that returns with another one until the timer fires.
    fn drive<const TIMED: bool>(&mut self, watch: &mut Watch) -> anyhow::Result<u64> {
        let mut count = 0;
        let mut ended = false;
        // What came with the timer is answered, too: it is told once, and a later run waits for it.
        while !ended {
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), None)?;
            for event in &self.events {
                let data = event.data.u64();
                if data == TIMER {
                    ended = true;
                    continue;
                }
                let number = usize::try_from(data).expect("a number of ours");
                let connection = &mut self.connections[number];
                let (len, _) = recv(&connection.stream, &mut self.buffer[..], RecvFlags::DONTWAIT)?;
                if len == 0 {
                    bail!("the server has closed a connection");
                }
                let bytes = connection.partial + len;
                let whole = bytes / self.size;
                connection.partial = bytes % self.size;
                count += whole as u64;
                if TIMED && whole > 0 {
                    watch.lap(&mut connection.sent);
                }
                send_all(&connection.stream, &self.messages[..whole * self.size])?;
            }
        }
        Ok(count)
    }
}

impl Load for Steady {
    fn run(&mut self, duration: Duration, watch: &mut Watch) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        for connection in &mut self.connections {
            // What is under way from an earlier run has waited for this one: its time says nothing.
            connection.sent = None;
            if !self.begun {
                send_all(&connection.stream, &self.messages)?;
            }
        }
        self.begun = true;
        if watch.is_timed() { self.drive::<true>(watch) } else { self.drive::<false>(watch) }
    }
}
