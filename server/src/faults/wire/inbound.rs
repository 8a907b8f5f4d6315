//! The received direction: bytes that are held until they are due.

use std::{
    collections::VecDeque,
    io::{self, Read},
    time::{Duration, Instant},
};

use common::fault::{Fault, FaultAct};

use super::pacer::Pacer;
use crate::{
    config::{FaultKind, FaultRule, Jitter, limits},
    faults::plan::FaultPlan,
};

/// Result of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes(usize),
    EndOfStream,
    /// Nothing is due. The deadline says when to read again.
    Held,
    /// The socket has nothing, and nothing is held.
    Nothing,
}

/// The received direction of a stream.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Number of bytes that were received.
    received: u64,
    delay: Option<(FaultRule, Duration)>,
    jitter: Option<(FaultRule, Duration, Jitter)>,
    coalesce: Option<(FaultRule, Duration)>,
    throttle: Option<(FaultRule, Pacer)>,
    /// Nothing is received before.
    opens_at: Option<Instant>,
    /// Received bytes, each with the time at which they are due, in order.
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
    /// The time at which the batch that is being collected is due.
    batch_at: Option<Instant>,
    /// The peer has ended its direction, which the connection learns then.
    end_at: Option<Instant>,
    /// The connection has learned it.
    has_ended: bool,
    /// The time at which a read that the faults refused may be repeated.
    retry_at: Option<Instant>,
}

impl Inbound {
    /// Creates the direction of a stream of which `received` bytes have passed.
    pub(super) fn new(received: u64) -> Self {
        Self { received, ..Self::default() }
    }

    /// Takes over the faults of a plan. What is held is due at once.
    pub(super) fn set_plan(
        &mut self,
        plan: Option<&FaultPlan>,
        opens_at: Option<Instant>,
        now: Instant,
    ) {
        let held = std::mem::take(&mut self.held);
        let (held_bytes, end_at) = (self.held_bytes, self.end_at.map(|_| now));
        let Self { received, has_ended, .. } = *self;
        *self = Self { received, opens_at, held_bytes, end_at, has_ended, ..Self::default() };
        self.held = held.into_iter().map(|(_, bytes)| (now, bytes)).collect();
        for rule in plan.iter().flat_map(|plan| plan.rules()) {
            match rule.kind {
                FaultKind::Delay(delay) => self.delay = Some((rule.clone(), delay)),
                FaultKind::Jitter { spread, distribution } => {
                    self.jitter = Some((rule.clone(), spread, distribution));
                }
                FaultKind::Coalesce(time) => self.coalesce = Some((rule.clone(), time)),
                FaultKind::Throttle(rate) => {
                    self.throttle = Some((rule.clone(), Pacer::new(rate, now)));
                }
                _ => {}
            }
        }
    }

    /// Returns the number of bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.held_bytes
    }

    /// Returns the time before which nothing is received.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        self.opens_at
    }

    /// Returns the time at which a read can return more.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let end = self.end_at.filter(|_| !self.has_ended);
        let first = self.held.front().map(|(due, _)| *due).or(end);
        [first, self.retry_at].into_iter().flatten().min()
    }

    /// Reads what is due, and receives what the stream has.
    pub(super) fn receive(
        &mut self,
        stream: &mut impl Read,
        buffer: &mut [u8],
        plan: Option<&FaultPlan>,
        clock: impl Fn() -> Instant,
        acts: &mut Vec<FaultAct>,
    ) -> io::Result<Received> {
        self.retry_at = None;
        loop {
            let now = clock();
            if let Some(read) = self.take_due(buffer, now) {
                return Ok(Received::Bytes(read));
            }
            if let Some(end_at) = self.end_at {
                // It is due after everything that is held.
                if self.held.is_empty() && end_at <= now {
                    self.has_ended = true;
                    return Ok(Received::EndOfStream);
                }
                return Ok(Received::Held);
            }
            let room = self.room(buffer.len(), plan, now, acts);
            if room == 0 {
                return Ok(Received::Held);
            }
            match stream.read(&mut buffer[..room]) {
                Ok(0) => self.end_at = Some(self.due(0, plan, now, acts)),
                Ok(read) => {
                    // They may have arrived since the last look at the clock.
                    let now = clock();
                    let due = self.due(read, plan, now, acts);
                    self.received += read as u64;
                    if let Some((_, pacer)) = &mut self.throttle {
                        pacer.pass(read as u64);
                    }
                    if due <= now && self.held.is_empty() {
                        return Ok(Received::Bytes(read));
                    }
                    self.held_bytes += read;
                    self.held.push_back((due, buffer[..read].to_vec()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_empty = self.held.is_empty();
                    return Ok(if is_empty { Received::Nothing } else { Received::Held });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the held bytes that are due, as many as the buffer has room for.
    fn take_due(&mut self, buffer: &mut [u8], now: Instant) -> Option<usize> {
        let mut taken = 0;
        while let Some((due, bytes)) = self.held.front_mut() {
            let room = buffer.len() - taken;
            if *due > now || room == 0 {
                break;
            }
            let here = bytes.len().min(room);
            buffer[taken..taken + here].copy_from_slice(&bytes[..here]);
            taken += here;
            bytes.drain(..here);
            if bytes.is_empty() {
                self.held.pop_front();
            }
        }
        self.held_bytes -= taken;
        (taken > 0).then_some(taken)
    }

    /// Returns the number of bytes that may be received now.
    fn room(
        &mut self,
        len: usize,
        plan: Option<&FaultPlan>,
        now: Instant,
        acts: &mut Vec<FaultAct>,
    ) -> usize {
        if let Some(opens_at) = self.opens_at.filter(|at| *at > now) {
            self.retry_at = Some(opens_at);
            return 0;
        }
        if self.held.len() >= limits::DELAYED_READS {
            return 0;
        }
        let mut room = len.min(limits::DELAYED_BYTES - self.held_bytes);
        if let Some((rule, pacer)) = &mut self.throttle
            && plan.is_some_and(|plan| plan.applies(rule, now))
        {
            let allowance = pacer.allowance(now);
            if allowance.is_err() {
                pacer.record(FaultAct::received(Fault::Throttle, self.received), acts);
            }
            match allowance {
                Ok(bytes) => room = usize::try_from(bytes).map_or(room, |bytes| room.min(bytes)),
                Err(at) => {
                    self.retry_at = Some(at);
                    room = 0;
                }
            }
        }
        room
    }

    /// Returns the time at which bytes are due that are received now. `len` 0: the end of the stream.
    fn due(
        &mut self,
        len: usize,
        plan: Option<&FaultPlan>,
        now: Instant,
        acts: &mut Vec<FaultAct>,
    ) -> Instant {
        let Some(plan) = plan else { return now };
        let delay = self.delay.as_ref().filter(|(rule, _)| plan.applies(rule, now));
        let jitter = self.jitter.as_ref().filter(|(rule, ..)| plan.applies(rule, now));
        let mean = delay.map_or(Duration::ZERO, |(_, delay)| *delay);
        let delay = jitter.map_or(mean, |(_, spread, distribution)| {
            plan.random(Fault::Delay).delay(self.received, mean, *spread, *distribution)
        });
        let mut due = now + delay;
        if let Some((last, _)) = self.held.back() {
            due = due.max(*last);
        }
        let act = |fault, delay| FaultAct {
            bytes: Some(len as u64),
            ..FaultAct::received(fault, self.received).with_delay(delay)
        };
        if due > now && len > 0 && !(mean.is_zero() && jitter.is_none()) {
            acts.push(act(Fault::Delay, due - now));
        }
        let coalesce = self.coalesce.as_ref().filter(|(rule, _)| plan.applies(rule, now));
        if let Some((_, time)) = coalesce {
            let batch_at = self.batch_at.filter(|batch_at| *batch_at >= due);
            let at = batch_at.unwrap_or_else(|| due + *time);
            if batch_at.is_none() && len > 0 {
                acts.push(act(Fault::Coalesce, *time));
            }
            self.batch_at = Some(at);
            due = at;
        }
        due
    }
}
