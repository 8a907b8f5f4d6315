//! A schedule: random steps of the network, the clock and the worker, from one seed.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use common::protocol::Protocol;
use fastrand::Rng;

use super::{
    check::TurnStart,
    encoding::Encodings,
    network::{InjectedBug, SimulatedStream, WRITABLE_FROM},
    pair::{Pair, WRITE_TIMEOUT},
};
use crate::{
    admission::ConnectionLimits,
    config::{Config, limits},
    connection::{Connection, Readiness, Turn, TurnContext},
    telemetry::{CloseReason, Recorder},
};

/// A worker, its connections and their peers.
pub(super) struct Simulation {
    rng: Rng,
    pub(super) protocol: Protocol,
    pub(super) pairs: Vec<Pair>,
    limits: ConnectionLimits,
    buffer: Vec<u8>,
    now: Instant,
    start: Instant,
    draining: bool,
    /// A line for each step, if a trace was requested.
    pub(super) trace: Option<String>,
}

impl Simulation {
    pub(super) fn new(seed: u64, encodings: Encodings, trace: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let protocol = rng
            .choice([Protocol::Text, Protocol::Raw, Protocol::Length])
            .expect("the list is not empty");
        let now = Instant::now();
        let limits =
            ConnectionLimits::new(&Config { max_connections_per_ip: Some(9), ..Config::default() });
        let pairs: Vec<Pair> = (0..rng.usize(1..4))
            .map(|_| Pair::new(encodings, protocol, &limits, now, &mut rng))
            .collect();
        // Small, so that reads fill it, but with room for held bytes: a frame, or a PROXY header.
        let frame = if protocol == Protocol::Length { 64 } else { 0 };
        let header = pairs.iter().map(|pair| pair.header).max().unwrap_or_default();
        let has_tls = pairs.iter().any(|pair| pair.encoding.is_tls());
        // Each piece of plaintext becomes a record with some bytes of its own, which a send buffer must have room for.
        let more = match has_tls {
            true if rng.bool() => rng.usize(32..=limits::READ_BUFFER / 2),
            true => rng.usize(32..80),
            false => rng.usize(1..48),
        };
        // A layer divides it.
        let buffer = vec![0; 2 * (frame.max(header) + more)];
        Self {
            rng,
            protocol,
            pairs,
            limits,
            buffer,
            now,
            start: now,
            draining: false,
            trace: trace.then(String::new),
        }
    }

    /// Runs the schedule, lets the network settle, and verifies all pairs. Returns the reason for the end of each
    /// connection that has ended.
    pub(super) fn run(mut self) -> Result<Vec<Option<CloseReason>>, String> {
        self.run_steps()?;
        let reasons = self.pairs.iter().map(Pair::close_reason).collect();
        for pair in &mut self.pairs {
            pair.drop_connection();
        }
        if !self.limits.is_empty() {
            return Err("not all connections are released".into());
        }
        Ok(reasons)
    }

    fn run_steps(&mut self) -> Result<(), String> {
        let has_tls = self.pairs.iter().any(|pair| pair.encoding.is_tls());
        let steps = if has_tls { 30..300 } else { 10..80 };
        for index in 0..self.pairs.len() {
            if self.pairs[index].encoding.is_tls() && self.rng.bool() {
                self.shake_hands(index);
            }
        }
        for _ in 0..self.rng.usize(steps) {
            let index = self.rng.usize(0..self.pairs.len());
            self.step(index);
            self.verify(index)?;
        }
        self.settle();
        (0..self.pairs.len())
            .try_for_each(|index| self.verify(index).and_then(|()| self.verify_end(index)))
    }

    /// Runs the schedule and returns its trace.
    pub(super) fn trace_of_run(mut self) -> String {
        self.run_steps().expect("the schedule passes");
        self.trace.unwrap_or_default()
    }

    fn record(&mut self, index: usize, event: impl FnOnce(&Pair) -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{index}: {}", event(&self.pairs[index]));
        }
    }

    fn stream(&mut self, index: usize) -> Option<&mut SimulatedStream> {
        self.pairs[index].connection.as_mut().map(Connection::stream_mut)
    }

    fn step(&mut self, index: usize) {
        let is_tls = self.pairs[index].encoding.is_tls();
        if is_tls && self.rng.u8(0..3) == 0 {
            self.act(index);
            return;
        }
        match self.rng.u8(0..32) {
            // A handshake takes many steps, so the end comes later.
            27 | 30 if is_tls && self.rng.u8(0..4) > 0 => {}
            0..9 => self.deliver(index),
            9..14 => self.make_room(index),
            14..19 => self.poll(index),
            19..27 => self.turn(index),
            27 => self.end_or_reset(index),
            28 => self.migrate(index),
            29 => self.pass_time(),
            30 if self.rng.u8(0..4) == 0 => self.drain(),
            31 if self.rng.u8(0..8) == 0 => {
                self.record(index, |_| "the next read panics".into());
                if let Some(stream) = self.stream(index) {
                    stream.bug = true;
                }
            }
            _ => {}
        }
    }

    /// A peer with TLS reads, writes, or does something else.
    fn act(&mut self, index: usize) {
        if let Some(event) = self.pairs[index].act(&mut self.rng) {
            self.record(index, |_| event.into());
        }
    }

    /// Some of the bytes that the peer sends arrive.
    fn deliver(&mut self, index: usize) {
        let at = self.pairs[index].arrived;
        let left = self.pairs[index].script.len() - at;
        let is_tls = self.pairs[index].encoding.is_tls();
        let len = match self.rng.u8(0..3) {
            0 if is_tls => left.min(self.rng.usize(0..2000)),
            0 => left.min(1),
            1 => left.min(self.rng.usize(0..16)),
            _ => left,
        };
        let bytes = self.pairs[index].script[at..at + len].to_vec();
        let Some(stream) = self.stream(index) else { return };
        if len == 0 || stream.fin || stream.reset {
            return;
        }
        stream.arrived.extend_from_slice(&bytes);
        self.pairs[index].arrived += len;
        self.pairs[index].edge = true;
        self.record(index, |pair| {
            // Encrypted bytes differ between two runs.
            if pair.encoding.is_tls() {
                format!("{len} bytes arrive")
            } else {
                format!("{:?} arrives", bytes.escape_ascii().to_string())
            }
        });
    }

    /// The peer reads, so the socket takes more bytes.
    fn make_room(&mut self, index: usize) {
        let is_large = self.pairs[index].encoding.is_tls() && self.rng.bool();
        let more = self.rng.usize(1..if is_large { 5000 } else { 64 });
        let is_late = self.rng.u8(0..4) == 0;
        let Some(stream) = self.stream(index) else { return };
        if is_late && !stream.blocked {
            stream.late_room = more;
            self.record(index, |_| format!("room for {more} more bytes after a write that blocks"));
            return;
        }
        stream.room += more;
        if stream.blocked {
            let is_writable = stream.room >= WRITABLE_FROM;
            stream.blocked = !is_writable;
            self.pairs[index].edge |= is_writable;
            let pair = &mut self.pairs[index];
            // A turn for another reason may have sent the bytes that were blocked.
            if pair.connection.as_ref().is_some_and(Connection::wants_write) {
                pair.moved_at = self.now;
            }
        }
        self.record(index, |_| format!("room for {more} more bytes"));
    }

    /// The poll reports readiness.
    fn poll(&mut self, index: usize) {
        let pair = &mut self.pairs[index];
        let Some(connection) = &mut pair.connection else { return };
        if std::mem::take(&mut pair.edge) {
            let stream = connection.stream_mut();
            let has_more = stream.fin || stream.reset;
            let readiness =
                Readiness { readable: has_more || !stream.arrived.is_empty(), has_more };
            connection.set_ready(readiness);
            pair.queued = true;
            self.record(index, |_| format!("{readiness:?}"));
        }
    }

    fn turn(&mut self, index: usize) {
        let pair = &mut self.pairs[index];
        if !std::mem::take(&mut pair.queued) {
            return;
        }
        let Some(connection) = &mut pair.connection else { return };
        let start = TurnStart::of(connection);
        let telemetry = Recorder::new(&pair.counters, true);
        let mut context =
            TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
        let turn = catch_unwind(AssertUnwindSafe(|| connection.turn(&mut context)));
        let stream = connection.stream_mut();
        if std::mem::take(&mut stream.moved) {
            pair.moved_at = self.now;
        }
        if stream.blocked && stream.room >= WRITABLE_FROM {
            stream.blocked = false;
            pair.edge = true;
        }
        match &turn {
            Ok(Turn::Wait) => {}
            Ok(Turn::Again) => pair.queued = true,
            Ok(Turn::Over) => pair.drop_connection(),
            Err(panic) if panic.is::<InjectedBug>() => {
                pair.faulted = true;
                pair.drop_connection();
            }
            Err(_) => pair.problem = Some("panicked".into()),
        }
        if let Ok(turn) = turn {
            pair.check_turn(&start, turn, self.buffer.len());
        }
        self.record(index, |_| format!("turn: {turn:?}"));
    }

    fn end_or_reset(&mut self, index: usize) {
        let resets = self.rng.u8(0..3) == 0;
        // A peer with TLS may be cut off anywhere.
        let may_end = self.pairs[index].encoding.is_tls()
            || self.pairs[index].arrived == self.pairs[index].script.len();
        let Some(stream) = self.stream(index) else { return };
        if resets {
            stream.reset = true;
        } else if may_end {
            stream.fin = true;
        } else {
            return;
        }
        self.pairs[index].edge = true;
        self.record(index, |_| if resets { "reset".into() } else { "end of the stream".into() });
    }

    /// The connection moves to another worker, whose poll reports its readiness again, and has a turn.
    fn migrate(&mut self, index: usize) {
        let Some(stream) = self.stream(index) else { return };
        let edge = !stream.arrived.is_empty() || stream.fin || stream.reset;
        self.pairs[index].edge |= edge;
        self.pairs[index].queued = true;
        self.record(index, |_| "migrated".into());
    }

    /// Time passes. As in a worker, a deadline expires after all events before it have been handled.
    fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.rng.u64(1..4000));
        for index in 0..self.pairs.len() {
            self.poll(index);
            while self.pairs[index].queued {
                self.turn(index);
            }
            // The socket may have room that the poll has not reported.
            if self.pairs[index].late_connection(self.now).is_some_and(Connection::wants_write) {
                self.pairs[index].queued = true;
                self.turn(index);
            }
            self.expire(index);
        }
    }

    /// Expires the deadline of a connection, if it has passed.
    fn expire(&mut self, index: usize) {
        let pair = &mut self.pairs[index];
        if pair.late_connection(self.now).is_none() {
            return;
        }
        let is_in_preamble = pair.is_in_preamble();
        let telemetry = Recorder::new(&pair.counters, true);
        let connection = pair.connection.as_mut().expect("the connection is late");
        if connection.expire(self.now, &telemetry) != Turn::Over {
            return;
        }
        // A lingering connection may time out at any time after the half-close.
        let half_closed = pair.stream().half_closed;
        // The timeouts of the preamble count from the start, however many bytes have moved.
        let (since, timeout) = if pair.is_in_header() {
            (self.start, limits::PROXY_TIMEOUT)
        } else if is_in_preamble {
            (self.start, limits::TLS_HANDSHAKE_TIMEOUT)
        } else {
            (pair.moved_at, WRITE_TIMEOUT)
        };
        if !half_closed && self.now.duration_since(since) < timeout {
            pair.problem = Some("timed out early".into());
        }
        pair.faulted = true;
        pair.drop_connection();
        self.record(index, |_| "timed out".into());
    }

    /// The server drains.
    fn drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        for index in 0..self.pairs.len() {
            let pair = &mut self.pairs[index];
            if let Some(connection) = &mut pair.connection {
                connection.drain();
                pair.queued = true;
                pair.fin_before_drain = connection.stream_mut().fin;
                pair.drained_at = Some(pair.arrived);
                self.record(index, |pair| format!("drained with {} bytes arrived", pair.arrived));
            }
        }
    }

    /// All bytes arrive and all peers read, without further faults. Then some of the streams end.
    fn settle(&mut self) {
        for index in 0..self.pairs.len() {
            if let Some(stream) = self.stream(index) {
                stream.bug = false;
            }
            self.exchange(index, Pair::finish);
            if self.rng.bool() {
                self.record(index, |_| "end of the stream after everything".into());
                if let Some(stream) = self.stream(index) {
                    stream.fin = true;
                    self.pairs[index].edge = true;
                }
                self.exchange(index, Pair::finish);
            }
        }
    }

    /// A peer with TLS completes its handshake.
    fn shake_hands(&mut self, index: usize) {
        self.record(index, |_| "handshake".into());
        self.exchange(index, Pair::read_handshake);
        let room = self.rng.usize(0..40);
        if let Some(stream) = self.stream(index) {
            stream.room = room;
        }
    }

    /// Passes everything in both directions, with a peer that does this.
    fn exchange(&mut self, index: usize, act: fn(&mut Pair)) {
        for _ in 0..10_000 {
            act(&mut self.pairs[index]);
            self.deliver(index);
            if let Some(stream) = self.stream(index) {
                stream.room = usize::MAX / 2;
                let blocked = std::mem::take(&mut stream.blocked);
                self.pairs[index].edge |= blocked;
            }
            self.poll(index);
            let pair = &self.pairs[index];
            if !pair.queued && (pair.has_arrived() || pair.connection.is_none()) {
                break;
            }
            self.turn(index);
        }
        act(&mut self.pairs[index]);
    }
}
