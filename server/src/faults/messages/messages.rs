//! The messages of one echo: dropped, sent twice, or sent after the next one.

use std::time::Instant;

use common::fault::{Fault, FaultAct};

use super::{
    boundaries::{Boundaries, Format, Part, Place},
    mask::Mask,
};
use crate::{
    config::{
        FaultKind,
        limits::{HELD_MESSAGE, REORDER_WAIT},
    },
    faults::plan::FaultPlan,
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
    present: Option<Present>,
    /// The message that waits for the next one.
    postponed: Option<Message>,
    /// A frame has had a mask.
    has_masked: bool,
}

/// What to send, and what was done for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) bytes: Vec<u8>,
    pub(crate) acts: Vec<FaultAct>,
}

/// A message.
#[derive(Debug)]
struct Message {
    /// Number of messages before it.
    number: u64,
    /// Number of bytes of the echo before it.
    offset: u64,
    /// Number of its bytes, without a mask.
    len: u64,
    /// Its bytes, if it is held or sent twice.
    bytes: Vec<u8>,
    is_duplicate: bool,
    /// The time at which it is sent alone.
    deadline: Option<Instant>,
}

/// A message of which more may arrive.
#[derive(Debug)]
struct Present {
    message: Message,
    way: Way,
    mask: Option<Mask>,
}

/// The way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is sent as it arrives.
    Passing,
    Dropped,
    /// It is held until it is complete.
    Held,
}

impl MessageFaults {
    /// Creates the faults of an echo. `None`: it has no faults of messages.
    pub(crate) fn new(plan: &FaultPlan, format: Format) -> Option<Self> {
        let is_mask = |kind: &FaultKind| matches!(kind, FaultKind::BadMask(_));
        let has_mask = format == Format::WebSocket && plan.rules().any(|rule| is_mask(&rule.kind));
        (has_mask || Self::change_messages(plan)).then(|| Self {
            plan: Some(plan.clone()),
            boundaries: Boundaries::new(format),
            offset: 0,
            messages: 0,
            present: None,
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

    /// Begins behind so many bytes and messages of the echo.
    pub(crate) fn behind(self, offset: u64, messages: u64) -> Self {
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
        let present = self.present.as_ref().filter(|present| present.way == Way::Held);
        let messages = [self.postponed.as_ref(), present.map(|present| &present.message)];
        messages.into_iter().flatten().find_map(|message| message.deadline)
    }

    fn held_messages_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        let present = self.present.as_mut().filter(|present| present.way == Way::Held);
        let messages = [self.postponed.as_mut(), present.map(|present| &mut present.message)];
        messages.into_iter().flatten()
    }

    /// Returns the number of bytes that are held.
    pub(crate) fn held(&self) -> usize {
        let present = self.present.as_ref().filter(|present| present.way == Way::Held);
        let messages = [self.postponed.as_ref(), present.map(|present| &present.message)];
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
    pub(crate) fn flush(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        self.release(&mut outcome);
        outcome
    }

    /// Ends the echo.
    pub(crate) fn end(&mut self) -> Outcome {
        let mut outcome = self.flush();
        if let Some(Present { message, way: Way::Dropped, .. }) = self.present.take() {
            outcome.acts.push(message.act(Fault::Drop));
        }
        outcome
    }

    /// Sends what is held, if its time has come.
    pub(crate) fn expire(&mut self, now: Instant) -> Outcome {
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_due { self.flush() } else { Outcome::default() }
    }

    fn take(&mut self, part: Part, bytes: &[u8], now: Instant, outcome: &mut Outcome) {
        if part.place == Place::Control {
            outcome.bytes.extend_from_slice(bytes);
            self.offset += bytes.len() as u64;
            return;
        }
        let mut present = self.present.take().unwrap_or_else(|| self.begin(now, outcome));
        self.offset += bytes.len() as u64;
        present.message.len += bytes.len() as u64;
        if present.way != Way::Dropped {
            present.append(part, bytes, outcome);
        }
        self.present = Some(present);
        if self.held() > HELD_MESSAGE {
            self.release(outcome);
        }
        if part.ends_message {
            self.messages += 1;
            self.complete(outcome);
        }
    }

    /// Begins the next message.
    fn begin(&mut self, now: Instant, outcome: &mut Outcome) -> Present {
        let (number, offset) = (self.messages, self.offset);
        let mut message = Message {
            number,
            offset,
            len: 0,
            bytes: Vec::new(),
            is_duplicate: false,
            deadline: None,
        };
        let Some(plan) = &self.plan else {
            return Present { message, way: Way::Passing, mask: None };
        };
        if plan.happens_to(Fault::Drop, number, now) {
            return Present { message, way: Way::Dropped, mask: None };
        }
        message.is_duplicate = plan.happens_to(Fault::Duplicate, number, now);
        let mut way = Way::Passing;
        if self.postponed.is_some() {
            way = Way::Held;
        } else if plan.happens_to(Fault::Reorder, number, now) {
            way = Way::Held;
            message.deadline = Some(now + REORDER_WAIT);
        }
        let mask = self.begin_mask(number, now);
        if mask.is_some() {
            let act = FaultAct::sent(Fault::BadMask, offset);
            outcome.acts.push(FaultAct { message: Some(number), ..act });
        }
        Present { message, way, mask }
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
        let Some(Present { message, way, .. }) = self.present.take() else { return };
        match way {
            Way::Dropped => outcome.acts.push(message.act(Fault::Drop)),
            Way::Passing if message.is_duplicate => {
                outcome.bytes.extend_from_slice(&message.bytes);
                outcome.acts.push(message.act(Fault::Duplicate));
            }
            Way::Passing => {}
            Way::Held => match self.postponed.take() {
                None => self.postponed = Some(message),
                Some(earlier) => {
                    message.send(outcome);
                    outcome.acts.push(earlier.act(Fault::Reorder));
                    earlier.send(outcome);
                }
            },
        }
    }

    /// Sends what is held, in its own order.
    fn release(&mut self, outcome: &mut Outcome) {
        if let Some(message) = self.postponed.take() {
            message.send(outcome);
        }
        if let Some(Present { message, way: way @ Way::Held, .. }) = &mut self.present {
            *way = Way::Passing;
            outcome.bytes.extend_from_slice(&message.bytes);
            // The bytes of a message that is sent twice are needed once more.
            message.is_duplicate &= message.bytes.len() <= HELD_MESSAGE;
            if !message.is_duplicate {
                message.bytes = Vec::new();
            }
        }
    }
}

impl Present {
    /// Sends bytes of a message, or keeps them.
    fn append(&mut self, part: Part, bytes: &[u8], outcome: &mut Outcome) {
        let Self { message, way, mask } = self;
        let mut masked = Vec::new();
        let bytes = match mask {
            Some(mask) => {
                mask.append(part, bytes, &mut masked);
                &masked[..]
            }
            None => bytes,
        };
        if *way == Way::Passing {
            outcome.bytes.extend_from_slice(bytes);
        }
        if *way == Way::Held || message.is_duplicate {
            message.bytes.extend_from_slice(bytes);
        }
        if message.bytes.len() > HELD_MESSAGE && *way == Way::Passing {
            message.is_duplicate = false;
            message.bytes = Vec::new();
        }
    }
}

impl Message {
    fn act(&self, fault: Fault) -> FaultAct {
        let act = FaultAct::sent(fault, self.offset);
        FaultAct { bytes: Some(self.len), message: Some(self.number), ..act }
    }

    /// Sends a complete message.
    fn send(&self, outcome: &mut Outcome) {
        outcome.bytes.extend_from_slice(&self.bytes);
        if self.is_duplicate {
            outcome.bytes.extend_from_slice(&self.bytes);
            outcome.acts.push(self.act(Fault::Duplicate));
        }
    }
}
