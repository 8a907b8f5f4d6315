//! Observed UDP socket, as a channel of the event loop.
//!
//! It notes each datagram that arrives, and sends another one when one has returned or the time limit has passed.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{self, ErrorKind as Io},
    time::{Duration, Instant},
};

use mio::{Token, event::Event};
use socket2::Socket;

use super::tap::nanos;
use crate::load::{
    ipc::{
        observation::{Arrival, Damage, Datagrams, Observation},
        worker_config::{Pace, WorkerConfig},
    },
    worker::{
        io::{
            channel::Channel,
            context::Context,
            socket::{receive, transmit},
        },
        payload::block::NAME_LEN,
    },
};

/// Maximum number of datagrams that are sent, and received, in one turn.
const TURN: usize = 32;

/// Maximum number of arrivals, and of times of datagrams that were sent, in an observation.
const MAX_ARRIVALS: usize = 16_384;

/// Number of the last datagrams that are compared with one whose name is damaged.
const COMPARED: u64 = 256;

/// Maximum number of bytes of a datagram that differ and are noted one by one.
const MAX_DAMAGE: usize = 64;

/// Time after which a server sends a datagram alone that it wanted to send after the next one, with some more for the way.
const REORDER_WAIT: Duration = Duration::from_millis(1500);

/// UDP socket of a load that expects faults.
#[derive(Debug)]
pub(in crate::load::worker) struct ObservedSocket {
    token: Token,
    number: u64,
    socket: Option<Socket>,
    started: Instant,
    seen: Datagrams,
    /// Datagrams in flight, each with its time in nanoseconds.
    in_flight: VecDeque<(u64, u64)>,
    due: u64,
    measured: u64,
    /// Time at which something last arrived, or was sent.
    active_at: Instant,
    is_finished: bool,
    has_yielded: bool,
}

impl Channel for ObservedSocket {
    type Shared = ();

    fn shared(_: &WorkerConfig) {}

    fn new(context: &Context<'_>, index: u32) -> Self {
        Self {
            token: Token(index as usize),
            number: context.channel_number(index),
            socket: None,
            started: Instant::now(),
            seen: Datagrams::default(),
            in_flight: VecDeque::new(),
            due: 0,
            measured: 0,
            active_at: Instant::now(),
            is_finished: false,
            has_yielded: false,
        }
    }

    fn connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.socket = Some(context.open_udp_socket(self.token, self.number)?);
        Ok(())
    }

    fn extend_backlog(&mut self, due: u64) -> bool {
        let had_backlog = self.backlog() > 0;
        self.due = due;
        !had_backlog && self.backlog() > 0
    }

    fn handle_event(&mut self, context: &mut Context<'_>, _: &Event) {
        self.drive(context);
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        if self.transfer(context).is_err() {
            self.seen.is_unreachable = true;
            self.finish(context);
        }
    }

    fn take_yielded(&mut self) -> bool {
        std::mem::take(&mut self.has_yielded)
    }

    fn stop(&mut self, _: &mut Context<'_>) {}

    fn drop_warmup(&mut self, context: &mut Context<'_>) {
        self.due = self.seen.sent;
        context.drop_warmup(self.token.0 as u64, self.due);
    }

    fn drop_unsent(&mut self, context: &mut Context<'_>) {
        context.record_unsent(self.token.0 as u64, self.seen.sent..self.due);
        self.due = self.seen.sent;
    }

    /// Gives up datagrams, and ends after a time limit in which nothing arrives: a copy may be late.
    fn check_timeouts(&mut self, context: &mut Context<'_>, _: Duration) {
        self.drive(context);
        let limit = context.config.timeout;
        let now = self.now();
        let is_late = |&(_, at): &(u64, u64)| now.saturating_sub(at) > nanos(limit);
        while self.in_flight.front().is_some_and(is_late) {
            self.in_flight.pop_front();
        }
        let linger = if self.missing() == 0 { limit } else { limit.max(REORDER_WAIT) };
        let is_idle = self.in_flight.is_empty()
            && self.backlog() == 0
            && context.messages_left(self.measured) == 0;
        if !self.is_finished && is_idle && self.active_at.elapsed() > linger {
            self.finish(context);
        }
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }

    fn finalize(_: &[Self], _: &mut Context<'_>) {}
}

impl ObservedSocket {
    fn transfer(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        for _ in 0..TURN {
            self.send(context)?;
            let Some(socket) = &self.socket else { return Ok(()) };
            match receive(socket, &mut context.received) {
                Ok(len) => self.note(context, len),
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.has_yielded = true;
        Ok(())
    }

    fn send(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        for _ in 0..TURN {
            let Some(socket) = self.socket.as_ref().filter(|_| self.may_send(context)) else {
                return Ok(());
            };
            if self.seen.sent == 0 {
                self.started = Instant::now();
            }
            let at = nanos(self.started.elapsed());
            let number = self.seen.sent;
            let len = context.streams.write_datagram(self.number, number, &mut context.scratch);
            match transmit(socket, &context.scratch[..len]) {
                Ok(_) => {}
                Err(error) if error.kind() == Io::Interrupted => continue,
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            let schedule = context.schedule.as_ref();
            let due = schedule.map(|it| it.channel_due_at(self.token.0 as u64, number));
            let is_measured = due.unwrap_or_else(|| context.now()) >= context.config.warmup;
            self.measured += u64::from(is_measured);
            context.stats.datagrams.sent += u64::from(is_measured);
            context.stats.bytes_sent += len as u64;
            context.last_progress = context.now();
            self.seen.sent += 1;
            if self.seen.sent_at.len() < MAX_ARRIVALS {
                self.seen.sent_at.push(at);
            }
            self.in_flight.push_back((number, at));
            self.active_at = Instant::now();
        }
        self.has_yielded = true;
        Ok(())
    }

    /// Notes the datagram in the first `len` bytes of the receive buffer.
    fn note(&mut self, context: &mut Context<'_>, len: usize) {
        self.active_at = Instant::now();
        let at = self.now();
        let Some(number) = self.identify(context, len) else {
            self.seen.unrecognized += 1;
            return;
        };
        let Context { streams, received, scratch, .. } = context;
        let expected = streams.write_datagram(self.number, number, scratch);
        let pairs = received[..len].iter().zip(&scratch[..expected]).enumerate();
        let damage = pairs.filter(|(_, (one, other))| one != other);
        let damage: Vec<_> = damage
            .take(MAX_DAMAGE)
            .map(|(at, (one, other))| Damage { at: at as u64, mask: one ^ other })
            .collect();
        let is_whole = damage.is_empty() && len == expected;
        if let Some(index) = self.in_flight.iter().position(|&(other, _)| other == number) {
            let (_, sent) = self.in_flight.remove(index).unwrap_or_default();
            if is_whole {
                context.stats.messages += 1;
                context.stats.bytes_checked += len as u64;
                context.stats.latency.record(Duration::from_nanos(at.saturating_sub(sent)));
                context.last_progress = context.now();
            }
        }
        if self.seen.arrivals.len() < MAX_ARRIVALS {
            let len = (len != expected).then_some(len as u64);
            self.seen.arrivals.push(Arrival { number, at, len, damage });
        } else {
            self.seen.is_limited = true;
        }
    }

    /// Returns the number of the datagram that has arrived: by its name, or by the last one to which it is the most similar.
    fn identify(&self, context: &mut Context<'_>, len: usize) -> Option<u64> {
        let Context { streams, received, scratch, .. } = context;
        let received = &received[..len];
        let name = received.first_chunk::<NAME_LEN>();
        if let Some((owner, number)) = name.and_then(|name| streams.identify_datagram(name))
            && owner == self.number
            && number < self.seen.sent
        {
            return Some(number);
        }
        let mut equal = |number: u64| {
            let expected = streams.write_datagram(self.number, number, scratch);
            scratch[..expected].iter().zip(received).filter(|(one, other)| one == other).count()
        };
        let last = self.seen.sent.saturating_sub(COMPARED)..self.seen.sent;
        let (count, number) = last.map(|number| (equal(number), number)).max()?;
        (2 * count >= len.max(1)).then_some(number)
    }

    fn backlog(&self) -> u64 {
        self.due.saturating_sub(self.seen.sent)
    }

    fn may_send(&self, context: &Context<'_>) -> bool {
        match context.config.pace {
            Pace::Depth(depth) => {
                (self.in_flight.len() as u64) < depth.into()
                    && context.messages_left(self.measured) > 0
            }
            Pace::Rate(_) => self.backlog() > 0,
        }
    }

    fn now(&self) -> u64 {
        nanos(self.started.elapsed())
    }

    /// Returns the number of datagrams that have not arrived.
    fn missing(&self) -> u64 {
        let arrived = self.seen.arrivals.iter().map(|arrival| arrival.number);
        self.seen.sent.saturating_sub(arrived.collect::<BTreeSet<_>>().len() as u64)
    }

    fn finish(&mut self, context: &mut Context<'_>) {
        context.stats.datagrams.timed_out += self.missing();
        let address = self.socket.as_ref().and_then(|socket| socket.local_addr().ok());
        context.observe(Observation {
            peer: address.and_then(|address| address.as_socket()),
            channel: self.number,
            datagrams: Some(std::mem::take(&mut self.seen)),
            ..Observation::default()
        });
        self.is_finished = true;
    }
}
