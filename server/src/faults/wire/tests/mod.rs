//! A wire over a socket in memory, with a clock.

use std::{
    collections::VecDeque,
    io::{self, Read, Write as _},
    num::NonZeroU64,
    sync::Arc,
    time::{Duration, Instant},
};

use common::fault::Fault;

use super::{FaultyStream, Received, Wire};
use crate::{
    config::{FaultKind, FaultRule, Faults, limits},
    faults::{FaultPlan, ListenerFaults},
};

mod received;
mod sent;

/// A socket: what its peer has sent, in reads, and what it has taken.
#[derive(Default)]
struct Socket {
    received: VecDeque<Vec<u8>>,
    has_ended: bool,
    taken: Vec<u8>,
    writes: usize,
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut bytes) = self.received.pop_front() else {
            return if self.has_ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        };
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        if len < bytes.len() {
            self.received.push_front(bytes.split_off(len));
        }
        Ok(len)
    }
}

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        self.taken.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A wire over a socket, with a clock.
struct Bench {
    wire: Wire,
    socket: Socket,
    start: Instant,
    now: Instant,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn bytes(count: u64) -> NonZeroU64 {
    NonZeroU64::new(count).unwrap()
}

fn plan_of(rules: Vec<FaultRule>, seed: u64, now: Instant) -> FaultPlan {
    let faults = Faults { seed: Some(seed), rules };
    ListenerFaults::new(Some(&Arc::new(faults)), now).get().unwrap().next_plan()
}

impl Bench {
    fn with_rules(rules: Vec<FaultRule>, seed: u64) -> Self {
        let now = Instant::now();
        let mut wire = Wire::new(0, 0);
        wire.set_plan(Some(plan_of(rules, seed, now)), true, now);
        Self { wire, socket: Socket::default(), start: now, now }
    }

    fn new(kinds: impl IntoIterator<Item = FaultKind>) -> Self {
        Self::with_rules(kinds.into_iter().map(FaultRule::always).collect(), 7)
    }

    fn arrive(&mut self, bytes: &[u8]) {
        self.socket.received.push_back(bytes.to_vec());
    }

    fn at(&mut self, elapsed: Duration) -> &mut Self {
        self.now = self.start + elapsed;
        self
    }

    fn receive(&mut self) -> (Received, Vec<u8>) {
        let mut buffer = vec![0; limits::READ_BUFFER];
        let received = self.wire.receive(&mut self.socket, &mut buffer, || self.now).unwrap();
        let len = if let Received::Bytes(len) = received { len } else { 0 };
        buffer.truncate(len);
        (received, buffer)
    }

    /// Sends as a connection does: until all is taken or the stream would block.
    fn send(&mut self, mut bytes: &[u8]) -> usize {
        let mut stream =
            FaultyStream { stream: &mut self.socket, wire: &mut self.wire, now: self.now };
        let before = bytes.len();
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        before - bytes.len()
    }

    fn deadline(&self) -> Option<Duration> {
        self.wire.deadline(true, true).map(|at| at - self.start)
    }

    fn acts(&mut self) -> Vec<(Fault, u64)> {
        self.wire.take_acts().iter().map(|act| (act.fault, act.offset)).collect()
    }
}
