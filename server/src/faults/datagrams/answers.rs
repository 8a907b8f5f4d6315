//! The answers of one socket whose listener has faults.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Instant};

use common::fault::{Fault, FaultAct};
use lru::LruCache;

use super::{
    held::{Answer, Held, Waiting},
    source::{Decision, Source},
};
use crate::{
    config::limits::{FAULT_SOURCES, HELD_ANSWER_BYTES, HELD_ANSWERS, READ_BUFFER, REORDER_WAIT},
    faults::{injector::Injector, plan::FaultPlan},
};

const SOURCES: NonZeroUsize = NonZeroUsize::new(FAULT_SOURCES).expect("it is not zero");

/// The answers of one socket, and the time of each.
#[derive(Debug)]
pub(crate) struct FaultyAnswers<R> {
    /// `None`: the faults are cleared. Datagrams are still counted, so that later faults have the places of all datagrams.
    injector: Option<Arc<Injector>>,
    sources: LruCache<SocketAddr, Source>,
    held: Held<R>,
    /// The injected faults with their sources since the last call of [`report`](Self::report).
    injected: Vec<(SocketAddr, FaultAct)>,
}

impl<R: Clone> FaultyAnswers<R> {
    pub(crate) fn new(injector: Arc<Injector>) -> Self {
        Self {
            injector: Some(injector),
            sources: LruCache::new(SOURCES),
            held: Held::default(),
            injected: Vec::new(),
        }
    }

    /// Returns whether these are its faults. `None`: no faults.
    pub(crate) fn is_of(&self, injector: Option<&Arc<Injector>>) -> bool {
        match (&self.injector, injector) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Replaces the faults. All held answers are due. Each source keeps its counts, and gets the next number at its next datagram.
    pub(crate) fn replace(&mut self, injector: Option<Arc<Injector>>, now: Instant) {
        self.injector = injector;
        for (_, source) in &mut self.sources {
            source.clear_faults();
        }
        self.held.release(now);
    }

    /// Returns the number of held answers. One that is sent twice counts once.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Returns whether no further datagram may be received.
    pub(crate) fn is_full(&self) -> bool {
        self.held.len() >= HELD_ANSWERS || self.held.bytes() + READ_BUFFER > HELD_ANSWER_BYTES
    }

    /// Returns the time at which the next answer is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.held.first()
    }

    /// Reports the injected faults with the plan of each source.
    pub(crate) fn report(&mut self, mut record: impl FnMut(SocketAddr, &FaultPlan, &FaultAct)) {
        for (source, act) in std::mem::take(&mut self.injected) {
            if let Some(plan) = self.sources.peek(&source).and_then(Source::plan) {
                record(source, plan, &act);
            }
        }
    }

    /// Takes the answer to a datagram of a source.
    pub(crate) fn push(&mut self, source: SocketAddr, bytes: &[u8], route: R, now: Instant) {
        let (len, mut bytes, mut acts) = (bytes.len(), bytes.to_vec(), Vec::new());
        let counted = self.sources.get_or_insert_mut(source, Source::default);
        let decision = counted.decide(self.injector.as_ref(), &mut bytes, now, &mut acts);
        self.record(source, acts);
        let Some(Decision { number, delay, copies, is_postponed }) = decision else { return };
        let answer = Answer { bytes: bytes.into(), route };
        let due = now.checked_add(delay).unwrap_or(now);
        let waiting =
            Waiting { answer, len, source, number, copies, has_passed: false, not_before: None };
        if is_postponed {
            let waiting = Waiting { not_before: Some(due), ..waiting };
            let place = self.held.add(due + REORDER_WAIT, waiting);
            if let Some(source) = self.sources.peek_mut(&source) {
                source.postponed = Some(place);
            }
        } else {
            self.held.add(due, waiting);
            self.follow(source, due);
        }
    }

    /// Makes the postponed answer of a source due behind the one that it has waited for, at `due` or later.
    fn follow(&mut self, source: SocketAddr, due: Instant) {
        let place = self.sources.peek_mut(&source).and_then(|source| source.postponed.take());
        let Some(mut waiting) = place.and_then(|place| self.held.remove(place)) else { return };
        let at = waiting.not_before.take().map_or(due, |at| at.max(due));
        self.record(source, [reordered(&waiting)]);
        self.held.add(at, waiting);
    }

    /// Returns the next answer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Answer<R>> {
        loop {
            let (place, mut waiting) = self.held.pop(now)?;
            let mut acts = Vec::new();
            let (source, mut at) = (waiting.source, place.0);
            let state = self.sources.peek_mut(&source);
            if let Some(due) = waiting.not_before.take() {
                // No other answer has followed it.
                if let Some(state) = state {
                    state.postponed = None;
                }
                let delay = now.saturating_duration_since(due);
                self.record(source, [reordered(&waiting).with_delay(delay)]);
                self.held.put_back(place, waiting);
                continue;
            }
            if waiting.copies > 1 {
                let copies = waiting.copies - 1;
                self.held.put_back(place, Waiting { copies, ..waiting.clone() });
                waiting.copies = 1;
            }
            if !std::mem::replace(&mut waiting.has_passed, true)
                && let Some(state) = state
            {
                at = state.pass(waiting.answer.bytes.len(), waiting.number, at, &mut acts);
            }
            self.record(source, acts);
            // One that the throttle holds back has its place behind those that it held back before.
            if at <= place.0 {
                return Some(waiting.answer);
            }
            self.held.add(at, waiting);
        }
    }

    fn record(&mut self, source: SocketAddr, acts: impl IntoIterator<Item = FaultAct>) {
        self.injected.extend(acts.into_iter().map(|act| (source, act)));
    }
}

fn reordered<R>(waiting: &Waiting<R>) -> FaultAct {
    let (number, bytes) = (waiting.number, Some(waiting.len as u64));
    FaultAct { bytes, message: Some(number), ..FaultAct::sent(Fault::Reorder, number) }
}
