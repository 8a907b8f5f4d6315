//! The faults of one source of datagrams.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::fault::{Fault, FaultAct};

use super::held::Place;
use crate::{
    config::{FaultKind, FaultRule},
    faults::{damage::Damage, injector::Injector, plan::FaultPlan},
};

/// One source: its faults, and its counts, which outlive a change of the faults.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// `None`: no datagram has arrived since the faults were changed, or there are none.
    plan: Option<FaultPlan>,
    /// Number of its datagrams.
    datagrams: u64,
    /// Bytes of its answers; a copy counts once.
    bytes: u64,
    /// The time from which the throttle accepts the next answer.
    free_at: Option<Instant>,
    is_throttled: bool,
    /// The answer that waits for the next one.
    pub(super) postponed: Option<Place>,
}

/// The decision about an answer.
#[derive(Debug)]
pub(super) struct Decision {
    /// Number of datagrams of the source before this one.
    pub(super) number: u64,
    pub(super) delay: Duration,
    pub(super) copies: u32,
    /// It is sent after the next one.
    pub(super) is_postponed: bool,
}

impl Source {
    /// Returns its present faults.
    pub(super) fn plan(&self) -> Option<&FaultPlan> {
        self.plan.as_ref()
    }

    /// Ends the present faults. The counts stay.
    pub(super) fn clear_faults(&mut self) {
        let Self { datagrams, bytes, .. } = *self;
        *self = Self { datagrams, bytes, ..Self::default() };
    }

    /// Decides about the answer to the next datagram, and damages it. `None`: it is dropped.
    pub(super) fn decide(
        &mut self,
        injector: Option<&Arc<Injector>>,
        bytes: &mut Vec<u8>,
        now: Instant,
        acts: &mut Vec<FaultAct>,
    ) -> Option<Decision> {
        let number = self.datagrams;
        self.datagrams += 1;
        if let Some(injector) = injector {
            self.plan.get_or_insert_with(|| injector.next_plan());
        }
        let len = bytes.len() as u64;
        let of_datagram = |act| FaultAct { bytes: Some(len), message: Some(number), ..act };
        if self.happens_to(Fault::Drop, number, now) {
            acts.push(of_datagram(FaultAct::sent(Fault::Drop, number)));
            return None;
        }
        let is_duplicate = self.happens_to(Fault::Duplicate, number, now);
        if is_duplicate {
            acts.push(of_datagram(FaultAct::sent(Fault::Duplicate, number)));
        }
        let is_postponed = self.postponed.is_none() && self.happens_to(Fault::Reorder, number, now);
        self.truncate(bytes, number, now, acts);
        self.damage(bytes, number, now, acts);
        let delay = self.delay(number, now);
        if !delay.is_zero() {
            let act = of_datagram(FaultAct::received(Fault::Delay, number));
            acts.push(act.with_delay(delay));
        }
        Some(Decision { number, delay, copies: 1 + u32::from(is_duplicate), is_postponed })
    }

    /// Returns the time at which the throttle accepts an answer that is due at `due`.
    pub(super) fn pass(
        &mut self,
        len: usize,
        number: u64,
        due: Instant,
        acts: &mut Vec<FaultAct>,
    ) -> Instant {
        let rate = self.rules(due).find_map(|rule| match rule.kind {
            FaultKind::Throttle(rate) => Some(rate.get()),
            _ => None,
        });
        let Some(rate) = rate else { return due };
        let at = self.free_at.map_or(due, |free_at| free_at.max(due));
        let nanos = len as u128 * 1_000_000_000 / u128::from(rate);
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free_at = at.checked_add(time);
        if at > due && !std::mem::replace(&mut self.is_throttled, true) {
            let act = FaultAct::sent(Fault::Throttle, number);
            acts.push(FaultAct { bytes: Some(rate), message: Some(number), ..act });
        }
        at
    }

    fn happens_to(&self, fault: Fault, number: u64, now: Instant) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.happens_to(fault, number, now))
    }

    fn rules(&self, now: Instant) -> impl Iterator<Item = &FaultRule> {
        let plan = self.plan.iter();
        plan.flat_map(move |plan| plan.rules().filter(move |rule| plan.applies(rule, now)))
    }

    fn truncate(&self, bytes: &mut Vec<u8>, number: u64, now: Instant, acts: &mut Vec<FaultAct>) {
        for rule in self.rules(now) {
            let FaultKind::Truncate(kept) = rule.kind else { continue };
            if let Ok(len) = usize::try_from(kept)
                && len < bytes.len()
            {
                bytes.truncate(len);
                let act = FaultAct::sent(Fault::Truncate, number);
                acts.push(FaultAct { bytes: Some(kept), message: Some(number), ..act });
            }
        }
    }

    fn damage(&mut self, bytes: &mut [u8], number: u64, now: Instant, acts: &mut Vec<FaultAct>) {
        let begin = self.bytes;
        self.bytes += bytes.len() as u64;
        let Some(plan) = &self.plan else { return };
        for rule in self.rules(now) {
            let FaultKind::Corrupt(block) = rule.kind else { continue };
            let damage = Damage::new(plan.random(Fault::Corrupt), block.get());
            let mut place = damage.next(begin);
            while place < self.bytes {
                let (offset, mask) = (place - begin, damage.mask(place));
                if let Some(byte) = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at)) {
                    *byte ^= mask;
                }
                let act = FaultAct::sent(Fault::Corrupt, offset);
                acts.push(FaultAct { mask: Some(mask), message: Some(number), ..act });
                place = damage.next(place + 1);
            }
        }
    }

    fn delay(&self, number: u64, now: Instant) -> Duration {
        let (mut mean, mut jitter) = (Duration::ZERO, None);
        for rule in self.rules(now) {
            match rule.kind {
                FaultKind::Delay(delay) => mean = delay,
                FaultKind::Jitter { spread, distribution } => jitter = Some((spread, distribution)),
                _ => {}
            }
        }
        let Some(((spread, distribution), plan)) = jitter.zip(self.plan.as_ref()) else {
            return mean;
        };
        plan.random(Fault::Delay).delay(number, mean, spread, distribution)
    }
}
