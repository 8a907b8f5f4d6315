//! The gate of the sent direction: how many bytes may be sent now.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

use common::fault::{Fault, FaultAct};

use super::pacer::Pacer;
use crate::{
    config::{FaultKind, FaultRule, limits},
    faults::plan::FaultPlan,
};

/// Decides how many bytes may be sent now.
#[derive(Debug, Default)]
pub(super) struct Gate {
    stall: Option<(FaultRule, u64, Duration)>,
    throttle: Option<(FaultRule, Pacer)>,
    drip: Option<Drip>,
    split: Option<Split>,
    segments: Segments,
    /// Nothing is sent before.
    opens_at: Option<Instant>,
    /// The time at which a send that the gate has refused may be repeated.
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct Drip {
    rule: FaultRule,
    bytes: NonZeroU64,
    every: Duration,
    /// Bytes that are left of the portion at `since`.
    left: u64,
    since: Option<Instant>,
    is_recorded: bool,
}

/// Segments of the turn at a time. Each is a system call, so a turn has a limited number of them.
#[derive(Debug, Default)]
struct Segments(Option<(Instant, usize)>);

#[derive(Debug)]
struct Split {
    rule: FaultRule,
    min: u64,
    max: u64,
    is_recorded: bool,
}

impl Gate {
    /// Creates the gate of a plan, which opens at `opens_at`.
    pub(super) fn new(
        plan: &FaultPlan,
        opens_at: Option<Instant>,
        sent: u64,
        now: Instant,
    ) -> Self {
        let mut gate = Self { opens_at, ..Self::default() };
        for rule in plan.rules() {
            let owned = || rule.clone();
            match rule.kind {
                FaultKind::StallAfter { bytes, time } if bytes >= sent => {
                    gate.stall = Some((owned(), bytes, time));
                }
                FaultKind::Throttle(rate) => gate.throttle = Some((owned(), Pacer::new(rate, now))),
                FaultKind::Drip { bytes, every } => {
                    gate.drip = Some(Drip::new(owned(), bytes, every));
                }
                FaultKind::Split { min, max } => {
                    let (min, max) = (min.get(), max.get());
                    gate.split = Some(Split { rule: owned(), min, max, is_recorded: false });
                }
                _ => {}
            }
        }
        gate
    }

    /// Returns the time at which a refused send may be repeated.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Returns the number of bytes of `len` that may be sent now, behind the first `sent`. 0: none before the deadline.
    pub(super) fn allowance(
        &mut self,
        len: u64,
        sent: u64,
        plan: &FaultPlan,
        now: Instant,
        acts: &mut Vec<FaultAct>,
    ) -> u64 {
        match self.try_allowance(len, sent, plan, now, acts) {
            Ok(allowed) => {
                self.retry_at = None;
                allowed
            }
            Err(at) => {
                self.retry_at = Some(at);
                0
            }
        }
    }

    fn try_allowance(
        &mut self,
        len: u64,
        sent: u64,
        plan: &FaultPlan,
        now: Instant,
        acts: &mut Vec<FaultAct>,
    ) -> Result<u64, Instant> {
        if let Some(at) = self.opens_at.filter(|at| *at > now) {
            return Err(at);
        }
        let mut allowed = len;
        if let Some((rule, bytes, time)) = &self.stall {
            if sent == *bytes && plan.applies(rule, now) {
                let at = now + *time;
                acts.push(FaultAct::sent(Fault::StallAfter, sent).with_delay(*time));
                self.stall = None;
                self.opens_at = Some(at);
                return Err(at);
            }
            if sent < *bytes {
                allowed = allowed.min(bytes - sent);
            }
        }
        if let Some((rule, pacer)) = &mut self.throttle
            && plan.applies(rule, now)
        {
            let allowance = pacer.allowance(now);
            if allowance.is_err() || allowance.is_ok_and(|bytes| bytes < allowed) {
                pacer.record(FaultAct::sent(Fault::Throttle, sent), acts);
            }
            allowed = allowed.min(allowance?);
        }
        if let Some(drip) = &mut self.drip
            && plan.applies(&drip.rule, now)
        {
            let allowance = drip.allowance(now);
            if allowance.is_err() || allowance.is_ok_and(|bytes| bytes < allowed) {
                drip.record(sent, acts);
            }
            allowed = allowed.min(allowance?);
        }
        if let Some(split) = &mut self.split
            && plan.applies(&split.rule, now)
        {
            let segment = plan.random(Fault::Split).between(sent, split.min, split.max);
            if segment < allowed && !std::mem::replace(&mut split.is_recorded, true) {
                let bytes = Some(split.max);
                acts.push(FaultAct { bytes, ..FaultAct::sent(Fault::Split, sent) });
            }
            if !self.segments.count(now) {
                return Err(now);
            }
            allowed = allowed.min(segment);
        }
        Ok(allowed)
    }

    /// Counts a segment that another fault cuts off. Returns false if the turn has had its number of them; then the deadline is
    /// now.
    pub(super) fn count_segment(&mut self, now: Instant) -> bool {
        let is_counted = self.segments.count(now);
        if !is_counted {
            self.retry_at = Some(now);
        }
        is_counted
    }

    /// Counts bytes that have been sent.
    pub(super) fn pass(&mut self, bytes: u64) {
        if let Some((_, pacer)) = &mut self.throttle {
            pacer.pass(bytes);
        }
        if let Some(drip) = &mut self.drip {
            drip.left = drip.left.saturating_sub(bytes);
        }
    }
}

impl Drip {
    fn new(rule: FaultRule, bytes: NonZeroU64, every: Duration) -> Self {
        Self { rule, bytes, every, left: 0, since: None, is_recorded: false }
    }

    /// Adds its record to `acts`, the first time that it holds bytes back.
    fn record(&mut self, sent: u64, acts: &mut Vec<FaultAct>) {
        if !std::mem::replace(&mut self.is_recorded, true) {
            let act = FaultAct::sent(Fault::Drip, sent).with_delay(self.every);
            acts.push(FaultAct { bytes: Some(self.bytes.get()), ..act });
        }
    }

    fn allowance(&mut self, now: Instant) -> Result<u64, Instant> {
        if self.left == 0 {
            let next = self.since.and_then(|since| since.checked_add(self.every));
            if let Some(next) = next.filter(|next| *next > now) {
                return Err(next);
            }
            self.left = self.bytes.get();
            self.since = Some(now);
        }
        Ok(self.left)
    }
}

impl Segments {
    /// Counts a segment. Returns false if the turn has had its number of them.
    fn count(&mut self, now: Instant) -> bool {
        match &mut self.0 {
            Some((turn, count)) if *turn == now => {
                *count += 1;
                *count <= limits::TURN_SEGMENTS
            }
            turn => {
                *turn = Some((now, 1));
                true
            }
        }
    }
}
