//! The byte stream of one connection with its faults.

use std::{
    io::{self, Read, Write},
    time::Instant,
};

use common::fault::{Fault, FaultAct};

use super::{
    end::{Limit, WireEnd},
    gate::Gate,
    inbound::{Inbound, Received},
};
use crate::{
    config::{FaultKind, FaultRule, limits},
    faults::{damage::Damage, plan::FaultPlan},
};

/// The faults of one connection below its layers, and the bytes that they hold.
///
/// Without a plan it passes all bytes. It is cleared rather than removed, because the stream goes on at its place.
#[derive(Debug)]
pub(crate) struct Wire {
    plan: Option<FaultPlan>,
    inbound: Inbound,
    gate: Option<Gate>,
    damage: Option<(FaultRule, Damage)>,
    /// The ends that are to come, the first one first.
    limits: Vec<Limit>,
    /// The end that has come. Nothing is sent any more.
    end: Option<WireEnd>,
    /// The connection has carried out the end.
    is_ended: bool,
    /// The time at which the end is tried again, and the time at which it is carried out in any case.
    postponed: Option<(Instant, Instant)>,
    /// Number of bytes that the stream has taken.
    sent: u64,
    /// Number of bytes that were taken from the connection and discarded, since the last question.
    discarded: usize,
    acts: Vec<FaultAct>,
}

/// The stream of a connection as its faults show it.
pub(crate) struct FaultyStream<'a, S> {
    pub(crate) stream: &'a mut S,
    pub(crate) wire: &'a mut Wire,
    pub(crate) now: Instant,
}

impl Wire {
    /// Creates the faults of a stream through which bytes have passed already.
    pub(crate) fn new(received: u64, sent: u64) -> Self {
        Self {
            plan: None,
            inbound: Inbound::new(received),
            gate: None,
            damage: None,
            limits: Vec::new(),
            end: None,
            is_ended: false,
            postponed: None,
            sent,
            discarded: 0,
            acts: Vec::new(),
        }
    }

    /// Replaces the faults. What the former ones hold is due at once. A stream whose end was cut off stays so: what would
    /// follow now has no place in it. `is_new`: nothing has passed yet.
    pub(crate) fn set_plan(&mut self, plan: Option<FaultPlan>, is_new: bool, now: Instant) {
        let (mut receives_at, mut sends_at) = (None, None);
        self.limits.clear();
        (self.gate, self.damage) = (None, None);
        if let Some(plan) = &plan {
            if is_new {
                (receives_at, sends_at) = self.delay_beginning(plan, now);
            }
            self.gate = Some(Gate::new(plan, sends_at, self.sent, now));
            for rule in plan.rules() {
                if let FaultKind::Corrupt(block) = rule.kind {
                    let damage = Damage::new(plan.random(Fault::Corrupt), block.get());
                    self.damage = Some((rule.clone(), damage));
                }
                let refuses = rule.kind == FaultKind::Refuse;
                let limit = Limit::of(rule).filter(|limit| limit.at >= self.sent);
                self.limits.extend(limit.filter(|_| is_new || !refuses));
            }
            self.limits.sort_by_key(|limit| limit.at);
        }
        self.inbound.set_plan(plan.as_ref(), receives_at, now);
        self.plan = plan;
        if is_new && self.limits.iter().any(|limit| limit.fault == Fault::Refuse) {
            self.reach_limits(now);
        }
    }

    /// Injects the faults of the beginning of a connection. Returns the times before which it receives and sends nothing.
    fn delay_beginning(
        &mut self,
        plan: &FaultPlan,
        now: Instant,
    ) -> (Option<Instant>, Option<Instant>) {
        let (mut receives_at, mut sends_at) = (None, None);
        for rule in plan.rules().filter(|rule| plan.applies(rule, now)) {
            let (act, time) = match rule.kind {
                FaultKind::AcceptDelay(time) => {
                    receives_at = receives_at.max(Some(now + time));
                    (FaultAct::received(Fault::AcceptDelay, 0), time)
                }
                FaultKind::HandshakeStall(time) => (FaultAct::sent(Fault::HandshakeStall, 0), time),
                _ => continue,
            };
            sends_at = sends_at.max(Some(now + time));
            self.acts.push(act.with_delay(time));
        }
        (receives_at, sends_at)
    }

    pub(crate) fn plan(&self) -> Option<&FaultPlan> {
        self.plan.as_ref()
    }

    /// Returns the number of received bytes that are held.
    pub(crate) fn held(&self) -> usize {
        self.inbound.held()
    }

    /// Returns whether the faults hold back received bytes, the end of the stream, or the next read.
    pub(crate) fn holds_back(&self) -> bool {
        self.inbound.deadline().is_some()
    }

    /// Returns the time before which a new connection receives nothing.
    pub(crate) fn opens_at(&self) -> Option<Instant> {
        self.inbound.opens_at()
    }

    /// Returns whether the faults hold back bytes that the connection wants to send.
    pub(crate) fn is_gated(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.deadline().is_some())
    }

    /// Returns the time at which the connection must try again what it wants: to read, to send, or both.
    pub(crate) fn deadline(&self, reads: bool, sends: bool) -> Option<Instant> {
        let inbound = self.inbound.deadline().filter(|_| reads);
        let gate = self.gate.as_ref().and_then(Gate::deadline).filter(|_| sends);
        let end = self.postponed.map(|(at, _)| at).filter(|_| !self.is_ended);
        [inbound, gate, end].into_iter().flatten().min()
    }

    /// Returns the end that has come, until it is carried out.
    pub(crate) fn end(&self) -> Option<WireEnd> {
        self.end.filter(|_| !self.is_ended)
    }

    /// Returns whether the sending direction of the stream has ended already.
    pub(crate) fn has_half_closed(&self) -> bool {
        self.is_ended && self.end == Some(WireEnd::HalfClose)
    }

    /// Records that the end was carried out.
    pub(crate) fn set_ended(&mut self) {
        self.is_ended = true;
    }

    /// Postpones the end, because the peer has not acknowledged everything before it. Returns false if it has waited too long.
    pub(crate) fn postpone_end(&mut self, now: Instant) -> bool {
        let (_, latest) = *self.postponed.get_or_insert((now, now + limits::FAULT_RESET_WAIT));
        self.postponed = Some((now + limits::FAULT_RESET_RETRY, latest));
        now < latest
    }

    /// Takes the faults that were injected since the last call.
    pub(crate) fn take_acts(&mut self) -> Vec<FaultAct> {
        std::mem::take(&mut self.acts)
    }

    /// Returns the number of bytes that were discarded instead of sent since the last call.
    pub(crate) fn take_discarded(&mut self) -> usize {
        std::mem::take(&mut self.discarded)
    }

    /// Receives what the stream has, and reads what is due. `clock` is asked around each read of the stream.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub(crate) fn receive(
        &mut self,
        stream: &mut impl Read,
        buffer: &mut [u8],
        clock: impl Fn() -> Instant,
    ) -> io::Result<Received> {
        self.inbound.receive(stream, buffer, self.plan.as_ref(), clock, &mut self.acts)
    }

    /// Sends bytes, as far as the faults and the stream allow.
    fn send(&mut self, stream: &mut impl Write, bytes: &[u8], now: Instant) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.reach_limits(now);
        if self.end.is_some() {
            self.discarded += bytes.len();
            return Ok(bytes.len());
        }
        let (Some(plan), Some(gate)) = (&self.plan, &mut self.gate) else {
            let sent = stream.write(bytes)?;
            self.sent += sent as u64;
            return Ok(sent);
        };
        let mut allowed = gate.allowance(bytes.len() as u64, self.sent, plan, now, &mut self.acts);
        if allowed == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(limit) = self.limits.first() {
            allowed = allowed.min(limit.at - self.sent);
        }
        let damage = self.damage.as_ref().filter(|(rule, _)| plan.applies(rule, now));
        let place = damage.map_or(u64::MAX, |(_, damage)| damage.next(self.sent));
        let sent = if let Some((_, damage)) = damage
            && place == self.sent
        {
            // The damaged byte is sent by itself.
            if !gate.count_segment(now) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let mask = damage.mask(place);
            let sent = stream.write(&[bytes[0] ^ mask])?;
            let act = FaultAct { mask: Some(mask), ..FaultAct::sent(Fault::Corrupt, place) };
            self.acts.extend((sent > 0).then_some(act));
            sent
        } else {
            let most = usize::try_from(allowed.min(place - self.sent)).unwrap_or(usize::MAX);
            stream.write(&bytes[..most.min(bytes.len())])?
        };
        gate.pass(sent as u64);
        self.sent += sent as u64;
        self.reach_limits(now);
        Ok(sent)
    }

    /// Ends the stream if it has reached the place.
    fn reach_limits(&mut self, now: Instant) {
        let Some(plan) = &self.plan else { return };
        while let Some(limit) = self.limits.first().filter(|limit| limit.at <= self.sent) {
            if plan.applies(&limit.rule, now) && self.end.is_none() {
                self.end = Some(limit.end);
                self.acts.push(FaultAct::sent(limit.fault, self.sent));
            }
            self.limits.remove(0);
        }
    }
}

impl<S: Write> Write for FaultyStream<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.send(self.stream, bytes, self.now)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
