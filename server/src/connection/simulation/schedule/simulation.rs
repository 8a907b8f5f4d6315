//! A worker, its connections and their peers: the choice of steps.

use std::{fmt::Write as _, time::Instant};

use fastrand::Rng;

use crate::{
    admission::ConnectionLimits,
    config::{Config, limits},
    connection::{
        Connection,
        simulation::{encoding::Encodings, network::SimulatedStream, pair::Pair},
    },
    telemetry::CloseReason,
};

/// A worker, its connections and their peers.
pub(in crate::connection::simulation) struct Simulation {
    pub(super) rng: Rng,
    pub(super) pairs: Vec<Pair>,
    limits: ConnectionLimits,
    pub(super) buffer: Vec<u8>,
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) draining: bool,
    /// Much time passes.
    is_slow: bool,
    /// A line for each step, if a trace was requested.
    pub(super) trace: Option<String>,
}

impl Simulation {
    pub(in crate::connection::simulation) fn new(
        seed: u64,
        encodings: Encodings,
        trace: bool,
    ) -> Self {
        let mut rng = Rng::with_seed(seed);
        let now = Instant::now();
        let limits =
            ConnectionLimits::new(&Config { max_connections_per_ip: Some(9), ..Config::default() });
        let pairs: Vec<Pair> =
            (0..rng.usize(1..4)).map(|_| Pair::new(encodings, &limits, now, &mut rng)).collect();
        // Small, so that reads fill it, but with room for held bytes: a frame, a head, or a PROXY header.
        let held = pairs.iter().map(|pair| pair.header.max(pair.longest_held)).max();
        let has_tls = pairs.iter().any(|pair| pair.encoding.is_tls());
        // Each piece of plaintext becomes a record with some bytes of its own, which a send buffer must have room for.
        let more = match has_tls {
            true if rng.bool() => rng.usize(32..=limits::READ_BUFFER / 2),
            true => rng.usize(32..80),
            false => rng.usize(1..48),
        };
        // With a small one, a long script would take many turns.
        let script = pairs.iter().map(|pair| pair.script.len()).max();
        let more = more.max(script.unwrap_or_default() / 32);
        // A layer divides it.
        let buffer = vec![0; 2 * (held.unwrap_or_default() + more)];
        let is_slow = rng.u8(0..6) == 0;
        Self {
            rng,
            pairs,
            limits,
            buffer,
            now,
            start: now,
            draining: false,
            is_slow,
            trace: trace.then(String::new),
        }
    }

    /// Runs the schedule, lets the network settle, and verifies all pairs. Returns the reason for the end of each
    /// connection that has ended.
    pub(in crate::connection::simulation) fn run(
        mut self,
    ) -> Result<Vec<Option<CloseReason>>, String> {
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
    pub(in crate::connection::simulation) fn trace_of_run(mut self) -> String {
        self.run_steps().expect("the schedule passes");
        self.trace.unwrap_or_default()
    }

    pub(super) fn record(&mut self, index: usize, event: impl FnOnce(&Pair) -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{index}: {}", event(&self.pairs[index]));
        }
    }

    pub(super) fn stream(&mut self, index: usize) -> Option<&mut SimulatedStream> {
        self.pairs[index].connection.as_mut().map(Connection::stream_mut)
    }

    fn step(&mut self, index: usize) {
        let is_tls = self.pairs[index].encoding.is_tls();
        let is_http = self.pairs[index].application.http().is_some();
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
            // Most deadlines of HTTP count only between two turns.
            26 if is_http && self.rng.bool() => self.pass_time(),
            22..26 if is_http && self.is_slow => self.pass_time(),
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
}
