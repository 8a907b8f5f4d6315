//! Delivery: counts an event that a member has received, and explains what is wrong with it.

use std::time::Duration;

use super::{
    check::{Check, Content, MessageId, Violation},
    error::Error,
    events::Event,
    sender::Sender,
    shared::{Message, Shared},
    text::{Fields, Kind},
};
use crate::load::stats::{
    counters::Stats,
    error_kind::ErrorKind,
    fault::{Fault, FaultKind},
    format::plural,
};

/// What the handling of an event needs of its member and of the process.
#[derive(Debug)]
pub(super) struct Delivery<'m> {
    /// Number of the member in the run.
    pub(super) member: u64,
    pub(super) check: &'m mut Check,
    pub(super) sender: Option<&'m mut Sender>,
    pub(super) shared: &'m mut Shared,
    pub(super) stats: &'m mut Stats,
    /// Present time of the run.
    pub(super) now: Duration,
    /// The same time of the monotonic clock.
    pub(super) clock_ns: u64,
}

impl Delivery<'_> {
    /// Handles an event; returns `true` if it is a delivery that is counted.
    #[inline]
    pub(super) fn receive(&mut self, event: &Event<'_>) -> bool {
        match *event {
            Event::Message { number, name, text } => {
                let message = self.shared.check(number, name, text);
                let is_first = self.check(number, message.content());
                match message {
                    Message::Right(fields) if is_first => self.deliver(&fields, text.len()),
                    Message::Right(_) => false,
                    _ => self.record_wrong(number, message, is_first),
                }
            }
            Event::Other { number } => {
                self.check(number, Content::Other);
                false
            }
            Event::RelayGap { number, count } => {
                if self.check(number, Content::RelayGap(count)) {
                    let told = &mut self.stats.room.relay_told;
                    *told = told.saturating_add(count);
                }
                false
            }
            Event::Gap { first, count } => {
                self.receive_gap(first, count);
                false
            }
            Event::Refusal { text } => {
                self.stats.record_error(ErrorKind::Room);
                self.stats.room_failure = Some(Error::Refused(text.to_owned()).with_advice());
                false
            }
            Event::Welcome { .. } | Event::Numbers { .. } | Event::Ignored => false,
        }
    }

    #[inline]
    fn check(&mut self, number: u64, content: Content) -> bool {
        let Self { member, stats, check, .. } = self;
        check.receive(number, content, &mut |violation| record(stats, *member, violation))
    }

    #[inline]
    fn deliver(&mut self, fields: &Fields, len: usize) -> bool {
        let is_measured = fields.kind == Kind::Measured;
        self.stats.bytes_checked += len as u64;
        if is_measured {
            self.stats.room.deliveries += 1;
            let latency = self.clock_ns.saturating_sub(fields.time_ns);
            self.stats.latency.record(Duration::from_nanos(latency));
        }
        if let Some(sender) = &mut self.sender {
            let is_own = sender.receive(fields.id, self.now);
            self.stats.messages += u64::from(is_own && is_measured);
        }
        is_measured
    }

    fn receive_gap(&mut self, first: u64, count: u64) {
        let Self { member, stats, check, .. } = self;
        let told =
            check.receive_gap(first, count, &mut |violation| record(stats, *member, violation));
        stats.room.told = stats.room.told.saturating_add(told);
        if let Some(sender) = &mut self.sender {
            // Its messages may be among them.
            sender.give_up();
        }
    }

    /// Handles a message that is not the right one.
    fn record_wrong(&mut self, number: u64, message: Message, is_first: bool) -> bool {
        let (kind, text) = match message {
            Message::Right(_) => return false,
            Message::Foreign => {
                self.stats.room.foreign += u64::from(is_first);
                return false;
            }
            Message::Differs(fields) => {
                self.stats.room.order += 1;
                let other = describe(fields.id);
                (
                    FaultKind::Reordered,
                    format!(
                        "is {other}, and another member has received another message with this number"
                    ),
                )
            }
            Message::Wrong(id) => {
                self.stats.room.wrong_texts += 1;
                self.stats.record_error(ErrorKind::WrongBytes);
                let text = match id {
                    Some(id) => {
                        format!("{} has a wrong text or the name of another member", describe(id))
                    }
                    None => "has a wrong text under the name of a sender".to_owned(),
                };
                (FaultKind::Damaged, text)
            }
        };
        if let (Some(sender), Content::Sent(id)) = (&mut self.sender, message.content()) {
            sender.receive(id, self.now);
        }
        let text = format!("event {number} {text}");
        push_fault(self.stats, self.member, number, kind, &text);
        false
    }
}

/// Ends the check of a member: every event up to `last` has to have arrived. Without it, only what was skipped is missing.
pub(super) fn settle(
    stats: &mut Stats,
    shared: &Shared,
    member: u64,
    check: &mut Check,
    last: Option<u64>,
) {
    if let Some(last) = last {
        check.finish(last, shared.counts(), &mut |violation| record(stats, member, violation));
    }
    stats.room.missing = stats.room.missing.saturating_add(check.missing());
}

/// Counts a violation, and keeps its explanation. What is missing is counted at the end, because it may arrive late.
fn record(stats: &mut Stats, member: u64, violation: Violation) {
    match violation {
        Violation::Skipped { .. } | Violation::Unnumbered { .. } => {}
        Violation::Duplicate { .. } | Violation::Repeated { .. } => stats.room.duplicates += 1,
        Violation::OutOfOrder { .. }
        | Violation::OvertakenBySender { .. }
        | Violation::FalseGap { .. } => stats.room.order += 1,
    }
    if stats.has_room_for_fault() {
        let (offset, kind, text) = explain(violation);
        push_fault(stats, member, offset, kind, &text);
    }
}

/// Returns the number of the event, the kind of fault, and a sentence.
fn explain(violation: Violation) -> (u64, FaultKind, String) {
    match violation {
        Violation::Skipped { first, count: 1 } => {
            (first, FaultKind::Skipped, format!("event {first} was skipped"))
        }
        Violation::Skipped { first, count } => {
            let last = first.saturating_add(count - 1);
            let events = plural(count, "event");
            (first, FaultKind::Skipped, format!("{events} were skipped, {first} to {last}"))
        }
        Violation::Unnumbered { sender, first, count } => {
            let messages = plural(count, "message");
            let text = format!(
                "the room gave no number to {messages} of sender {sender}, from its message {first} on"
            );
            (first, FaultKind::Skipped, text)
        }
        Violation::Duplicate { number } => {
            (number, FaultKind::Repeated, format!("event {number} arrived again"))
        }
        Violation::Repeated { number, id } => {
            (number, FaultKind::Repeated, format!("event {number} is {} again", describe(id)))
        }
        Violation::OutOfOrder { number } => {
            let text = format!("event {number} arrived out of order, after a later one");
            (number, FaultKind::Reordered, text)
        }
        Violation::OvertakenBySender { number, id } => {
            let message = describe(id);
            let text = format!(
                "event {number} is {message}, out of order: a later message of its sender has a lower number"
            );
            (number, FaultKind::Reordered, text)
        }
        Violation::FalseGap { first, count } => {
            let events = plural(count, "event");
            let text = format!(
                "a gap from event {first} on tells that {events} are lost, which have arrived"
            );
            (first, FaultKind::Reordered, text)
        }
    }
}

fn describe(id: MessageId) -> String {
    format!("message {} of sender {}", id.counter, id.sender)
}

fn push_fault(stats: &mut Stats, member: u64, offset: u64, kind: FaultKind, text: &str) {
    if stats.has_room_for_fault() {
        let text = format!("member {member}: {text}");
        stats.faults.push(Fault { connection: member, offset, kind, text });
    }
}
