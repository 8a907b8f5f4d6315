//! Connections whose bytes in flight do not fit into a socket. Each sends as much as the socket accepts, and receives
//! while it waits to send the rest.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::bail;
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use crate::{
    args::Args,
    load::Load,
    measurement::Measurement,
    socket::{Ready, start_timer},
};

/// Size of the receive buffer.
const BUFFER: usize = 256 * 1024;

pub(crate) struct Large {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    message: Vec<u8>,
    /// Length of the echo of a message.
    echo: usize,
}

struct Connection {
    stream: TcpStream,
    /// Number of bytes to send. A message begins where a multiple of its size is left.
    unsent: usize,
    /// Number of bytes of an incomplete message that have returned.
    partial: usize,
    /// Start of the message in flight, if it is known.
    sent: Option<Instant>,
    /// True while it waits until the socket accepts more bytes.
    is_blocked: bool,
}

impl Large {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (message, echo) = args.message()?;
        let unsent = message.len() * args.depth.get();
        let connection =
            |stream| Connection { stream, unsent, partial: 0, sent: None, is_blocked: false };
        let streams = args.connect_all(&epoll, EventFlags::IN)?;
        let connections = streams.into_iter().map(connection).collect();
        Ok(Self { epoll, connections, message, echo })
    }
}

impl Load for Large {
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        for (number, connection) in self.connections.iter_mut().enumerate() {
            connection.sent = None;
            connection.send(number, &self.epoll, &self.message)?;
        }
        let mut ready = Ready::new();
        let mut buffer = vec![0; BUFFER];
        let mut count = 0;
        while let Some(number) = ready.wait(&self.epoll)? {
            let connection = &mut self.connections[number];
            let whole = connection.receive(&mut buffer, self.echo)?;
            count += whole as u64;
            if measurement.is_timed() && whole > 0 {
                measurement.lap(&mut connection.sent);
            }
            connection.unsent += whole * self.message.len();
            connection.send(number, &self.epoll, &self.message)?;
        }
        Ok(count)
    }
}

impl Connection {
    /// Receives, and returns the number of messages that are complete.
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

    /// Sends as much as the socket accepts. Waits for writability if bytes are left.
    fn send(&mut self, number: usize, epoll: &OwnedFd, message: &[u8]) -> anyhow::Result<()> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let mut full = false;
        while self.unsent > 0 && !full {
            let left = match self.unsent % message.len() {
                0 => message.len(),
                left => left,
            };
            match send(&self.stream, &message[message.len() - left..], flags) {
                Ok(sent) => self.unsent -= sent,
                Err(Errno::AGAIN) => full = true,
                Err(error) => return Err(error.into()),
            }
        }
        if self.is_blocked != full {
            self.is_blocked = full;
            let interest = if full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(epoll, &self.stream, EventData::new_u64(number as u64), interest)?;
        }
        Ok(())
    }
}
