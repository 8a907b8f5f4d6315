//! What all channels of a process share: what is to be done, what has been counted, the clock, the poll,
//! and room for bytes.
//!
//! Must not know what kind of channels they are.

use std::{
    io,
    net::IpAddr,
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use socket2::Socket;

use crate::load::{
    ipc::wire::{Order, Stop},
    stats::counters::Tally,
    worker::payload::Streams,
};

/// Bytes to receive, or to make, at once: more than the longest datagram.
pub const CHUNK: usize = 64 * 1024;

/// See the [module](self).
#[derive(Debug)]
pub struct Bench<'a> {
    /// What is to be done.
    pub order: &'a Order,
    /// What is to be sent.
    pub streams: Streams,
    /// What has been counted.
    pub tally: Tally,
    /// Nothing new is to be sent.
    pub stopping: bool,
    /// When a message last came back; or was sent, where that may be the last that is known of it.
    pub last_progress: Duration,
    /// For what has been received: [`CHUNK`] bytes.
    pub received: Box<[u8]>,
    /// For what is to be sent, or is compared: as many.
    pub scratch: Box<[u8]>,
    registry: Registry,
    start: Instant,
}

impl<'a> Bench<'a> {
    /// For one process's order.
    #[must_use]
    pub fn new(order: &'a Order, registry: Registry) -> Self {
        Self {
            order,
            streams: Streams::new(order.seed, order.min_size..=order.max_size),
            tally: Tally::default(),
            stopping: false,
            last_progress: Duration::ZERO,
            received: vec![0; CHUNK].into(),
            scratch: vec![0; CHUNK].into(),
            registry,
            start: Instant::now(),
        }
    }

    /// The clock starts.
    pub fn start(&mut self) {
        self.start = Instant::now();
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many channels the run has.
    #[must_use]
    pub fn channels(&self) -> u64 {
        u64::from(self.order.processes) * u64::from(self.order.connections)
    }

    /// The number in the run of the `index`-th of this process.
    #[must_use]
    pub fn number(&self, index: u32) -> u64 {
        u64::from(self.order.process) * u64::from(self.order.connections) + u64::from(index)
    }

    /// The address of this machine from which the channel with this number connects, if it matters.
    #[must_use]
    pub fn source(&self, number: u64) -> Option<IpAddr> {
        let sources = &self.order.sources;
        let at = usize::try_from(number).ok()?.checked_rem(sources.len())?;
        sources.get(at).copied()
    }

    /// How many more messages are to be sent on a channel on which so many have been.
    #[must_use]
    pub fn wanted(&self, sent: u64) -> u64 {
        match self.order.stop {
            _ if self.stopping => 0,
            Stop::After(_) => u64::MAX,
            Stop::Messages(all) => all - sent,
        }
    }

    /// Has the poll tell when a socket may be ready, until it is closed.
    ///
    /// # Errors
    ///
    /// The system has no room for it.
    pub fn register(&self, socket: &Socket, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut SourceFd(&socket.as_raw_fd()), token, interest)
    }
}
