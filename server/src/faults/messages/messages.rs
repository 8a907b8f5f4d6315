//! The messages of one echo: dropped, sent twice, or sent after the next one.

use std::time::{Duration, Instant};

use common::fault::{Fault, FaultAct};

use super::{
    boundaries::{Boundaries, EchoPlace, Format, Part, Place},
    mask::Mask,
    message::{Fate, Message, PartialMessage},
    outcome::Outcome,
};
use crate::{
    config::{
        FaultKind,
        limits::{POSTPONED_MESSAGE, REORDER_WAIT},
    },
    faults::{injected::InjectedFault, plan::FaultPlan},
};

/// The echo of one session, on its way to the layer.
///
/// A message that changes places, and the one after it, are held until they are complete. What is held is sent in its own order
/// if it is too long, if it waits for too long, or if a reply follows.
#[derive(Debug)]
pub(crate) struct MessageFaults {
    /// `None`: the faults are gone, and the stream goes on at its place.
    plan: Option<FaultPlan>,
    boundaries: Boundaries,
    /// Bytes of the echo so far, without faults.
    offset: u64,
    /// Messages of the echo so far, without faults.
    messages: u64,
    /// The message that is not complete.
    partial: Option<PartialMessage>,
    /// The message that waits for the next one.
    postponed: Option<Message>,
    /// A frame has had a mask.
    has_masked: bool,
}

impl MessageFaults {
    /// Creates the faults of an echo. `None`: it has no faults of messages.
    pub(crate) fn new(plan: &FaultPlan, format: Format) -> Option<Self> {
        let is_mask = |kind: &FaultKind| matches!(kind, FaultKind::BadMask(_));
        let has_mask = matches!(format, Format::WebSocket { .. })
            && plan.rules().any(|rule| is_mask(&rule.kind));
        (has_mask || Self::change_messages(plan)).then(|| Self {
            plan: Some(plan.clone()),
            boundaries: Boundaries::new(format),
            offset: 0,
            messages: 0,
            partial: None,
            postponed: None,
            has_masked: false,
        })
    }

    /// Returns whether a plan has faults of whole messages.
    pub(crate) fn change_messages(plan: &FaultPlan) -> bool {
        plan.rules().any(|rule| {
            let kind = &rule.kind;
            matches!(kind, FaultKind::Drop(_) | FaultKind::Duplicate(_) | FaultKind::Reorder(_))
        })
    }

    /// Begins at a place of the echo, which is not within a message.
    pub(crate) fn at(self, place: EchoPlace) -> Self {
        let EchoPlace { offset, messages, .. } = place;
        Self { offset, messages, ..self }
    }

    /// Replaces the faults. What is held is due, and a message that has begun keeps its faults.
    pub(crate) fn replace(&mut self, plan: Option<FaultPlan>, now: Instant) {
        self.plan = plan;
        self.has_masked = false;
        for message in self.held_messages_mut() {
            message.deadline = Some(now);
        }
    }

    /// Returns the time at which [`expire`](Self::expire) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let partial = self.partial.as_ref().filter(|partial| partial.fate == Fate::Held);
        let messages = [self.postponed.as_ref(), partial.map(|partial| &partial.message)];
        messages.into_iter().flatten().find_map(|message| message.deadline)
    }

    fn held_messages_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        let partial = self.partial.as_mut().filter(|partial| partial.fate == Fate::Held);
        let messages = [self.postponed.as_mut(), partial.map(|partial| &mut partial.message)];
        messages.into_iter().flatten()
    }

    /// Returns the number of bytes that are held.
    pub(crate) fn held(&self) -> usize {
        let partial = self.partial.as_ref().filter(|partial| partial.fate == Fate::Held);
        let messages = [self.postponed.as_ref(), partial.map(|partial| &partial.message)];
        messages.into_iter().flatten().map(|message| message.bytes.len()).sum()
    }

    /// Takes bytes of the echo.
    pub(crate) fn push(&mut self, mut bytes: &[u8], now: Instant) -> Outcome {
        let mut outcome = self.expire(now);
        while !bytes.is_empty() {
            let part = self.boundaries.next(bytes);
            let (first, rest) = bytes.split_at(part.len);
            self.take(part, first, now, &mut outcome);
            bytes = rest;
        }
        outcome
    }

    /// Sends what is held, because a reply follows it.
    pub(crate) fn flush(&mut self, now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        self.release(now, &mut outcome);
        outcome
    }

    /// Ends the echo.
    pub(crate) fn end(&mut self, now: Instant) -> Outcome {
        let mut outcome = self.flush(now);
        outcome.injected.extend(self.abandon());
        outcome
    }

    /// Returns the fault of a message whose end does not follow.
    pub(crate) fn abandon(&mut self) -> Option<InjectedFault> {
        let PartialMessage { message, fate, .. } = self.partial.take()?;
        if fate == Fate::Dropped { message.injected(Fault::Drop) } else { None }
    }

    /// Sends what is held, if its time has come.
    pub(crate) fn expire(&mut self, now: Instant) -> Outcome {
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_due { self.flush(now) } else { Outcome::default() }
    }

    fn take(&mut self, part: Part, bytes: &[u8], now: Instant, outcome: &mut Outcome) {
        if part.place == Place::Control {
            outcome.bytes.extend_from_slice(bytes);
            self.offset += bytes.len() as u64;
            return;
        }
        let mut partial = self.partial.take().unwrap_or_else(|| self.begin(now, outcome));
        self.offset += bytes.len() as u64;
        partial.message.len += bytes.len() as u64;
        if partial.fate != Fate::Dropped {
            partial.append(part, bytes, outcome);
        }
        self.partial = Some(partial);
        if self.held() > POSTPONED_MESSAGE {
            self.release(now, outcome);
        }
        if part.ends_message {
            self.messages += 1;
            self.complete(outcome);
        }
    }

    /// Begins the next message.
    fn begin(&mut self, now: Instant, outcome: &mut Outcome) -> PartialMessage {
        let (number, offset) = (self.messages, self.offset);
        let mut message = Message {
            plan: self.plan.clone(),
            number,
            offset,
            len: 0,
            bytes: Vec::new(),
            is_duplicate: false,
            deadline: None,
            held_since: None,
            delay: Duration::ZERO,
        };
        let Some(plan) = self.plan.clone() else {
            return PartialMessage { message, fate: Fate::Passing, mask: None };
        };
        // What follows a message that is missing could not be inflated.
        let may_change = !self.boundaries.is_compressed();
        let happens = |fault| may_change && plan.happens_to(fault, number, now);
        if happens(Fault::Drop) {
            return PartialMessage { message, fate: Fate::Dropped, mask: None };
        }
        message.is_duplicate = happens(Fault::Duplicate);
        let mut fate = Fate::Passing;
        if self.postponed.is_some() {
            fate = Fate::Held;
        } else if happens(Fault::Reorder) {
            fate = Fate::Held;
            message.deadline = Some(now + REORDER_WAIT);
            message.held_since = Some(now);
        }
        let mask = self.begin_mask(number, now);
        if mask.is_some() {
            let act = FaultAct::sent(Fault::BadMask, offset);
            let act = FaultAct { message: Some(number), ..act };
            outcome.injected.push(InjectedFault { plan, act });
        }
        PartialMessage { message, fate, mask }
    }

    /// Returns the mask of the first frame of a message, if it has one.
    fn begin_mask(&mut self, number: u64, now: Instant) -> Option<Mask> {
        if self.has_masked || !self.boundaries.is_websocket() {
            return None;
        }
        let is_due =
            |kind: &FaultKind| matches!(kind, FaultKind::BadMask(after) if *after <= number);
        let plan = self.plan.as_ref()?;
        let mut rules = plan.rules().filter(|rule| plan.applies(rule, now));
        if !rules.any(|rule| is_due(&rule.kind)) {
            return None;
        }
        // A mask of zeros would leave the payload as it is.
        let key = plan.random(Fault::BadMask).between(number, 1, u32::MAX.into());
        let key = u32::try_from(key).expect("at most the maximum");
        self.has_masked = true;
        Some(Mask::new(key.to_be_bytes()))
    }

    /// Ends the present message.
    fn complete(&mut self, outcome: &mut Outcome) {
        let Some(PartialMessage { message, fate, .. }) = self.partial.take() else { return };
        outcome.injected.extend(message.delayed());
        match fate {
            Fate::Dropped => outcome.injected.extend(message.injected(Fault::Drop)),
            Fate::Passing if message.is_duplicate => {
                outcome.bytes.extend_from_slice(&message.bytes);
                outcome.injected.extend(message.injected(Fault::Duplicate));
            }
            Fate::Passing => {}
            Fate::Held => match self.postponed.take() {
                None => self.postponed = Some(message),
                Some(earlier) => {
                    message.send(outcome);
                    outcome.injected.extend(earlier.injected(Fault::Reorder));
                    earlier.send(outcome);
                }
            },
        }
    }

    /// Sends what is held, in its own order.
    fn release(&mut self, now: Instant, outcome: &mut Outcome) {
        if let Some(mut message) = self.postponed.take() {
            message.end_wait(now);
            outcome.injected.extend(message.delayed());
            message.send(outcome);
        }
        if let Some(PartialMessage { message, fate: fate @ Fate::Held, .. }) = &mut self.partial {
            *fate = Fate::Passing;
            message.end_wait(now);
            outcome.bytes.extend_from_slice(&message.bytes);
            // The bytes of a message that is sent twice are needed once more.
            message.is_duplicate &= message.bytes.len() <= POSTPONED_MESSAGE;
            if !message.is_duplicate {
                message.bytes = Vec::new();
            }
        }
    }
}
