//! Context that all channels of a process share: configuration, statistics, clock, registry, and buffers.

use std::{
    io,
    net::IpAddr,
    ops::Range,
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use socket2::Socket;

use crate::{
    load::{
        ipc::{
            observation::Observation,
            worker_config::{Stop, WorkerConfig},
        },
        stats::{counters::Stats, error_kind::ErrorKind},
        worker::{
            io::{schedule::Schedule, socket::connect},
            payload::streams::Streams,
        },
    },
    login, tls,
    websocket::{self, MessageFault},
};

/// Size of the buffers: larger than the longest datagram.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Maximum number of messages of a channel whose lag is recorded one by one when it gives them up.
const MAX_SAMPLES: u64 = 1000;

/// State that all channels of a process share.
#[derive(Debug)]
pub(crate) struct Context<'a, S = ()> {
    /// Work of this process.
    pub(crate) config: &'a WorkerConfig,
    /// TLS of the connections.
    pub(crate) tls: Option<tls::Client>,
    /// Login of the connections, which share the keys that one of them derives.
    pub(crate) login: Option<login::Client>,
    /// Payload.
    pub(crate) streams: Streams,
    /// Schedule of an open loop.
    pub(crate) schedule: Option<Schedule>,
    /// Statistics since the last report.
    pub(crate) stats: Stats,
    /// Nothing new is sent.
    pub(crate) is_stopping: bool,
    /// Time at which a message last returned, or, over UDP, was sent.
    pub(crate) last_progress: Duration,
    /// Buffer of [`CHUNK`] bytes for received bytes.
    pub(crate) received: Box<[u8]>,
    /// Buffer of [`CHUNK`] bytes for bytes to send, or to compare.
    pub(crate) scratch: Box<[u8]>,
    /// Observations that have not been reported yet.
    pub(crate) observations: Vec<Observation>,
    /// Number of observations of this process.
    pub(crate) observed: usize,
    /// State that the channels of one kind share.
    pub(crate) shared: S,
    registry: Registry,
    start: Instant,
}

impl<'a, S> Context<'a, S> {
    /// Creates the context of one process.
    ///
    /// # Errors
    ///
    /// TLS or the login cannot be used.
    pub(crate) fn new(config: &'a WorkerConfig, registry: Registry, shared: S) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(tls::Client::new).transpose();
        let login = config.login.clone().map(login::Client::new).transpose();
        Ok(Self {
            config,
            tls: tls.map_err(io::Error::other)?,
            login: login.map_err(io::Error::other)?,
            streams: Streams::new(config.seed, config.min_size..=config.max_size),
            schedule: Schedule::new(config),
            stats: Stats::default(),
            is_stopping: false,
            last_progress: Duration::ZERO,
            received: vec![0; CHUNK].into(),
            scratch: vec![0; CHUNK].into(),
            observations: Vec::new(),
            observed: 0,
            shared,
            registry,
            start: Instant::now(),
        })
    }

    /// Starts the clock.
    pub(crate) fn start_clock(&mut self) {
        self.start = Instant::now();
    }

    /// Returns the time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the number of channels of the run.
    pub(crate) fn channel_count(&self) -> u64 {
        u64::from(self.config.processes) * u64::from(self.config.connections)
    }

    /// Returns the number in the run of the channel with this index in the process.
    pub(crate) fn channel_number(&self, index: u32) -> u64 {
        u64::from(self.config.process) * u64::from(self.config.connections) + u64::from(index)
    }

    /// Returns the local address of a channel; `None` leaves the choice to the system.
    pub(crate) fn source_address(&self, number: u64) -> Option<IpAddr> {
        let sources = &self.config.sources;
        let index = usize::try_from(number).ok()?.checked_rem(sources.len())?;
        sources.get(index).copied()
    }

    /// Returns how many more messages to send on a channel that has sent `measured` messages after the warm-up.
    pub(crate) fn messages_left(&self, measured: u64) -> u64 {
        match self.config.stop {
            _ if self.is_stopping => 0,
            Stop::After(_) => u64::MAX,
            Stop::Messages(all) => all - measured,
        }
    }

    /// Drops the messages of the warm-up that a channel has not sent.
    pub(crate) fn drop_warmup(&mut self, channel: u64, sent: u64) {
        if let Some(schedule) = &mut self.schedule {
            schedule.drop_warmup(channel, sent);
        }
    }

    /// Records the lag of messages of a channel that are due and not sent: it lasts at least until now.
    pub(crate) fn record_late(&mut self, channel: u64, numbers: Range<u64>) {
        let now = self.now();
        let Some(schedule) = &self.schedule else { return };
        let first = schedule.first_from(channel, numbers.clone(), self.config.warmup);
        // There may be hundreds of millions, of which a histogram needs some.
        let step = ((numbers.end - first) / MAX_SAMPLES).max(1);
        let mut from = first;
        while from < numbers.end {
            let count = step.min(numbers.end - from);
            let due = schedule.channel_due_at(channel, from);
            self.stats.lag.record_n(now.saturating_sub(due), count);
            from += count;
        }
    }

    /// Counts messages of a channel that are due and will not be sent.
    pub(crate) fn record_unsent(&mut self, channel: u64, numbers: Range<u64>) {
        let Some(schedule) = &self.schedule else { return };
        let first = schedule.first_from(channel, numbers.clone(), self.config.warmup);
        self.stats.unsent += numbers.end - first;
    }

    /// Keeps the text of a failure of a layer, for the report; returns its kind, or `None` for an error of the connection.
    pub(crate) fn record_failure(&mut self, error: &io::Error) -> Option<ErrorKind> {
        if let Some(websocket) = websocket::Error::inside(error) {
            self.stats.websocket_failure = Some(websocket.with_advice());
            return Some(match websocket {
                websocket::Error::Message(
                    MessageFault::TextAsBinary | MessageFault::BinaryAsText,
                ) => ErrorKind::MessageType,
                websocket::Error::Message(_) => ErrorKind::MessageBoundary,
                websocket::Error::NoClose => ErrorKind::Closed,
                _ => ErrorKind::Websocket,
            });
        }
        if let Some(login) = login::Error::inside(error) {
            self.stats.login_failure = Some(login.with_advice());
            return Some(ErrorKind::Login);
        }
        if error.kind() != io::ErrorKind::InvalidData {
            return None;
        }
        self.stats.tls_failure = Some(error.to_string());
        Some(ErrorKind::Tls)
    }

    /// Keeps an observation until the next report.
    pub(crate) fn observe(&mut self, observation: Observation) {
        self.observations.push(observation);
        self.observed += 1;
    }

    /// Opens the socket of a channel over UDP, which is connected immediately: the system only stores the address.
    ///
    /// # Errors
    ///
    /// The system has no descriptor or port left, or no route to the server.
    pub(crate) fn open_udp_socket(&mut self, token: Token, number: u64) -> io::Result<Socket> {
        let socket = connect(&self.config.server, self.source_address(number))?;
        self.register(&socket, token)?;
        self.stats.connects += 1;
        Ok(socket)
    }

    /// Registers a socket for events until it is closed.
    ///
    /// # Errors
    ///
    /// An error of `epoll_ctl(2)`.
    pub(crate) fn register(&self, socket: &Socket, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut SourceFd(&socket.as_raw_fd()), token, interest)
    }
}
