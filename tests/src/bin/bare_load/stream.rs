//! Connections that have more under way than a socket holds: what cannot be sent now is sent when
//! there is room, and meanwhile what returns is taken.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::bail;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use crate::{
    Args, Load,
    report::Watch,
    socket::{EVENTS, TIMER, connect, start_timer},
};

/// The most bytes that are taken at once.
const BUFFER: usize = 256 * 1024;

pub(crate) struct Stream {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    message: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Bytes that may be sent: a message begins wherever a multiple of its size is left.
    owed: usize,
    /// The bytes that have returned of a message that has not returned whole.
    partial: usize,
    /// When the message was begun that is under way, if that is to be known.
    sent: Option<Instant>,
    /// Whether it waits for room.
    waits: bool,
}

impl Stream {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for number in 0..args.connections.get() {
            let stream = connect(args.port, number)?;
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
            let owed = args.size.get() * args.depth.get();
            connections.push(Connection { stream, owed, partial: 0, sent: None, waits: false });
        }
        Ok(Self { epoll, connections, message: args.message() })
    }
}

impl Load for Stream {
    fn run(&mut self, duration: Duration, watch: &mut Watch) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        for (number, connection) in self.connections.iter_mut().enumerate() {
            connection.sent = None;
            connection.send(number, &self.epoll, &self.message)?;
        }
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER];
        let mut count = 0;
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let data = event.data.u64();
                if data == TIMER {
                    return Ok(count);
                }
                let number = usize::try_from(data).expect("a number of ours");
                let connection = &mut self.connections[number];
                let whole = connection.receive(&mut buffer, self.message.len())?;
                count += whole as u64;
                if watch.is_timed() && whole > 0 {
                    watch.lap(&mut connection.sent);
                }
                connection.owed += whole * self.message.len();
                connection.send(number, &self.epoll, &self.message)?;
            }
        }
    }
}

impl Connection {
    /// Takes what has returned: how many messages are whole by it.
    fn receive(&mut self, buffer: &mut [u8], size: usize) -> anyhow::Result<usize> {
        let len = match recv(&self.stream, buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => bail!("the server has closed a connection"),
            Ok((len, _)) => len,
            Err(Errno::AGAIN) => 0,
            Err(error) => return Err(error.into()),
        };
        let bytes = self.partial + len;
        self.partial = bytes % size;
        Ok(bytes / size)
    }

    /// Sends as much as there is room for, and asks to be told of more room if that was not all.
    fn send(&mut self, number: usize, epoll: &OwnedFd, message: &[u8]) -> anyhow::Result<()> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let mut full = false;
        while self.owed > 0 && !full {
            let left = match self.owed % message.len() {
                0 => message.len(),
                left => left,
            };
            match send(&self.stream, &message[message.len() - left..], flags) {
                Ok(sent) => self.owed -= sent,
                Err(Errno::AGAIN) => full = true,
                Err(error) => return Err(error.into()),
            }
        }
        if self.waits != full {
            self.waits = full;
            let wanted = if full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(epoll, &self.stream, EventData::new_u64(number as u64), wanted)?;
        }
        Ok(())
    }
}
