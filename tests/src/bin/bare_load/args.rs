//! The command line.

use std::{net::TcpStream, num::NonZero, time::Duration};

use clap::{Parser, ValueEnum};
use common::cli::{duration, positive_duration};
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
};

use crate::{http, socket::connect, websocket, wire::Wire};

/// Maximum number of bytes in flight that a socket certainly holds: no send waits for a server that waits for the
/// client, and one read returns all of them.
pub(crate) const SOCKET_CAPACITY: usize = 64 * 1024;

/// A bare epoll load loop that checks nothing, as a reference for comparisons
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Port of the echo server on 127.0.0.1
    #[arg(long)]
    pub(crate) port: u16,

    /// Number of connections
    #[arg(long, default_value = "50")]
    pub(crate) connections: NonZero<usize>,

    /// Size of a message in bytes
    #[arg(long, default_value = "64")]
    pub(crate) size: NonZero<usize>,

    /// Number of messages in flight per connection
    #[arg(long, default_value = "1")]
    pub(crate) depth: NonZero<usize>,

    /// Duration of the measurement, such as 500ms or 3s
    #[arg(long, default_value = "3s", value_parser = positive_duration)]
    pub(crate) duration: Duration,

    /// Duration of the warm-up, which is not counted
    #[arg(long, default_value = "0s", value_parser = duration)]
    pub(crate) warm_up: Duration,

    /// Behavior of each connection
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: Mode,

    /// Measure round trips as well, at a rate from the time at which a message is due; only at a depth of 1, at a rate, or in
    /// a room
    #[arg(long)]
    pub(crate) latency: bool,

    /// What carries each message over TCP
    #[arg(long, value_enum, default_value_t)]
    pub(crate) layer: Layer,

    /// Send datagrams, by these system calls
    #[arg(long, value_name = "CALLS")]
    pub(crate) udp: Option<Calls>,

    /// What the members of a room speak
    #[arg(long, value_enum, default_value_t)]
    pub(crate) wire: Wire,

    /// Number of members that send, each with --depth messages in flight
    #[arg(long, default_value = "1")]
    pub(crate) senders: NonZero<usize>,

    /// Messages per second of all connections or senders together, on schedule; without it, each waits for its own
    /// messages
    #[arg(long)]
    pub(crate) rate: Option<NonZero<u32>>,

    /// Print `ready` after the warm-up, begin at a line on standard input, and keep the connections until standard
    /// input ends
    #[arg(long)]
    pub(crate) controlled: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Send, wait for the echo, repeat
    #[default]
    Echo,
    /// Connect, send, wait for the echo, close, repeat
    Churn,
    /// Exchange one message on each connection, then stay idle
    Idle,
    /// Members of a room, some of which send: every message returns on every connection
    FanOut,
}

/// System calls of a load over UDP.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Calls {
    /// `recvmmsg` and `sendmmsg`
    Batch,
    /// `recv` and `send`
    Single,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    /// Nothing
    #[default]
    None,
    /// A binary message of a WebSocket
    #[value(name = "websocket")]
    WebSocket,
    /// The body of an HTTP request
    Http,
}

impl Args {
    /// Returns the number of bytes in flight per connection.
    pub(crate) fn in_flight(&self) -> Option<usize> {
        self.size.get().checked_mul(self.depth.get())
    }

    /// Returns a message, and the length of its echo. It is a line, because the server may look for lines. Over HTTP, the
    /// server decides the length of the response.
    pub(crate) fn message(&self) -> anyhow::Result<(Vec<u8>, usize)> {
        let mut message = vec![b'x'; self.size.get()];
        message[self.size.get() - 1] = b'\n';
        Ok(match self.layer {
            Layer::None => {
                let len = message.len();
                (message, len)
            }
            Layer::WebSocket => {
                let frame = websocket::frame(&message);
                let echo = frame.len() - websocket::MASK.len();
                (frame, echo)
            }
            Layer::Http => {
                let request = http::request(&message);
                let echo = http::measure(&connect(self.port, 0)?, &request)?;
                (request, echo)
            }
        })
    }

    /// Opens all connections, and adds each with its index to an epoll.
    pub(crate) fn connect_all(
        &self,
        epoll: &OwnedFd,
        flags: EventFlags,
    ) -> anyhow::Result<Vec<TcpStream>> {
        let connect = |number| {
            let stream = self.connect(number)?;
            epoll::add(epoll, &stream, EventData::new_u64(number as u64), flags)?;
            Ok(stream)
        };
        (0..self.connections.get()).map(connect).collect()
    }

    /// Opens the connection with this number.
    fn connect(&self, number: usize) -> anyhow::Result<TcpStream> {
        let stream = connect(self.port, number)?;
        if self.layer == Layer::WebSocket {
            websocket::handshake(&stream)?;
        }
        Ok(stream)
    }
}
