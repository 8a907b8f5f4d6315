//! Members of a room: every message of a sender returns on every connection.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, Event, EventData, EventFlags},
    fd::OwnedFd,
    io::{Errno, read},
    net::{RecvFlags, recv},
};

use crate::{
    args::{Args, SOCKET_CAPACITY},
    load::Load,
    measurement::{Measurement, nanos},
    socket::{EVENTS, TICK, TIMER, connect, send_all, start_ticks, start_timer},
    wire::{Layout, PING, PONG, Wire, wait_for},
};

/// Digits of the number of the sender, which begin a text.
const SENDER: usize = 2;

/// Digits of the time, which follow.
const TIME: usize = 16;

/// Time without an answer after which the server has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A room with its members. The last ones send.
pub(crate) struct FanOut {
    epoll: OwnedFd,
    wire: Wire,
    layout: Layout,
    members: Vec<Member>,
    /// Index of the first sender.
    first: usize,
    /// Connections on which the senders send, if they are not those on which they receive.
    publishers: Vec<Option<TcpStream>>,
    /// Length of a text.
    size: usize,
    depth: usize,
    /// Time between two messages at a fixed rate.
    interval: Option<Duration>,
    /// Texts contain the time since then.
    epoch: Instant,
    events: Vec<Event>,
    has_started: bool,
}

struct Member {
    stream: TcpStream,
    /// Bytes of an incomplete delivery.
    partial: Vec<u8>,
}

/// What the bytes of one read contain.
#[derive(Default)]
struct Received {
    deliveries: u64,
    /// Number of deliveries of the member's own messages.
    own: usize,
    /// Length of the complete deliveries.
    len: usize,
    is_asked: bool,
}

impl FanOut {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let (members, senders) = (args.connections.get(), args.senders.get());
        ensure!(senders <= members && senders < 100, "there are too many senders");
        ensure!(args.size.get() >= SENDER + TIME, "a text has no room for its time");
        let streams = (0..members).map(|number| {
            let stream = connect(args.port, number)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            args.wire.join(&stream)?;
            Ok(Member { stream, partial: Vec::new() })
        });
        let mut room = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            wire: args.wire,
            layout: args.wire.layout(args.size.get()),
            members: streams.collect::<anyhow::Result<_>>()?,
            first: members - senders,
            publishers: Vec::new(),
            size: args.size.get(),
            depth: args.depth.get(),
            interval: args.rate.map(|rate| Duration::from_secs(1) / rate.get()),
            epoch: Instant::now(),
            events: Vec::with_capacity(EVENTS),
            has_started: false,
        };
        for sender in 0..senders {
            let stream = &room.members[room.first + sender].stream;
            let other = args.wire.prepare_sender(stream, sender, || connect(args.port, sender))?;
            room.publishers.push(other);
        }
        room.synchronize()?;
        Ok(room)
    }

    /// Sends a message that all members wait for. What they have received before it does not matter.
    fn synchronize(&mut self) -> anyhow::Result<()> {
        let text = vec![b'#'; self.size];
        send_all(self.publisher(self.publishers.len() - 1), &self.wire.message(&text))?;
        let end = [&text, self.layout.end].concat();
        for (number, member) in self.members.iter().enumerate() {
            wait_for(&member.stream, &end).context("a member waits for the first message")?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&self.epoll, &member.stream, data, EventFlags::IN | EventFlags::ET)?;
        }
        Ok(())
    }

    fn publisher(&self, sender: usize) -> &TcpStream {
        self.publishers[sender].as_ref().unwrap_or(&self.members[self.first + sender].stream)
    }

    /// Sends messages of a sender, which have the time `since` the epoch.
    fn send(&self, sender: usize, count: usize, since: Duration) -> anyhow::Result<()> {
        let mut text = format!("{sender:02}{:016x}", nanos(since)).into_bytes();
        text.resize(self.size, b'x');
        send_all(self.publisher(sender), &self.wire.message(&text).repeat(count))
    }

    /// Receives what has arrived for a member. Returns the number of deliveries.
    fn receive(
        &mut self,
        number: usize,
        buffer: &mut [u8],
        begun: Duration,
        measurement: &mut Measurement,
    ) -> anyhow::Result<u64> {
        let (mut deliveries, mut own) = (0, 0);
        loop {
            let member = &mut self.members[number];
            let len = match recv(&member.stream, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => bail!("the server has closed a connection"),
                Ok((len, _)) => len,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            let mut joined = std::mem::take(&mut member.partial);
            let bytes = if joined.is_empty() {
                &buffer[..len]
            } else {
                joined.extend_from_slice(&buffer[..len]);
                &joined
            };
            let received = self.take(number, bytes, begun, measurement)?;
            self.members[number].partial = bytes[received.len..].to_vec();
            deliveries += received.deliveries;
            own += received.own;
            if received.is_asked {
                send_all(&self.members[number].stream, PONG)?;
            }
            // A short read has emptied the socket.
            if len < buffer.len() {
                break;
            }
        }
        if own > 0 && self.interval.is_none() {
            self.send(number - self.first, own, self.epoch.elapsed())?;
        }
        Ok(deliveries)
    }

    /// Counts the complete deliveries in some bytes, and records their times if they were sent since `begun`.
    fn take(
        &self,
        number: usize,
        bytes: &[u8],
        begun: Duration,
        measurement: &mut Measurement,
    ) -> anyhow::Result<Received> {
        let Layout { start, text_at, len, .. } = &self.layout;
        let sender = number.checked_sub(self.first).map(|sender| format!("{sender:02}"));
        let now = if measurement.is_timed() { self.epoch.elapsed() } else { Duration::ZERO };
        let mut received = Received::default();
        loop {
            let rest = &bytes[received.len..];
            if self.wire == Wire::Nats && rest.starts_with(PING) {
                received.len += PING.len();
                received.is_asked = true;
                continue;
            }
            let Some(delivery) = rest.get(..*len) else { return Ok(received) };
            ensure!(
                delivery.starts_with(start),
                "a delivery has an unknown form: {}",
                delivery.escape_ascii()
            );
            let text = &delivery[*text_at..];
            received.len += len;
            received.deliveries += 1;
            if let Some(sender) = &sender {
                received.own += usize::from(text.starts_with(sender.as_bytes()));
            }
            if measurement.is_timed() {
                let since = Duration::from_nanos(parse_hex(&text[SENDER..SENDER + TIME]));
                if since >= begun {
                    measurement.record(now.saturating_sub(since));
                }
            }
        }
    }
}

impl Load for FanOut {
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        let ticks = self.interval.map(|interval| start_ticks(&self.epoll, interval)).transpose()?;
        let begun = self.epoch.elapsed();
        if self.interval.is_none() && !std::mem::replace(&mut self.has_started, true) {
            for sender in 0..self.publishers.len() {
                self.send(sender, self.depth, begun)?;
            }
        }
        let mut buffer = vec![0; SOCKET_CAPACITY];
        let (mut count, mut sent, mut ended) = (0, 0, false);
        // Handles the events that arrive with the timer as well: they are reported once, and a later run needs them.
        while !ended {
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), None)?;
            for at in 0..self.events.len() {
                match (self.events[at].data.u64(), self.interval, &ticks) {
                    (TIMER, ..) => ended = true,
                    (TICK, Some(interval), Some(ticks)) => {
                        // The timer fires again only after it has been read.
                        read(ticks, &mut [0; 8])?;
                        // A message counts from its time in the schedule, however late it is.
                        while begun + interval * (sent + 1) <= self.epoch.elapsed() {
                            sent += 1;
                            let sender = usize::try_from(sent)? % self.publishers.len();
                            self.send(sender, 1, begun + interval * sent)?;
                        }
                    }
                    (number, ..) => {
                        let number = usize::try_from(number)?;
                        count += self.receive(number, &mut buffer, begun, measurement)?;
                    }
                }
            }
        }
        Ok(count)
    }
}

/// Returns the number with these hexadecimal digits.
fn parse_hex(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| {
        let value = if *digit >= b'a' { digit - b'a' + 10 } else { digit.wrapping_sub(b'0') };
        (number << 4) | u64::from(value & 0xf)
    })
}
