//! Sender: which messages a member may send, and which of them have returned to it.

use std::time::Duration;

use super::{
    check::MessageId,
    events::Form,
    shared::Shared,
    text::{Fields, Kind},
};
use crate::load::{ipc::worker_config::Pace, worker::io::context::Context};

/// Maximum number of messages that are queued in one turn: a client that is far behind must also receive.
const MAX_QUEUED: u64 = 256;

/// Maximum number of bytes that wait for the socket before a message is queued. What is due later waits in the schedule.
const MAX_UNSENT: usize = 64 * 1024;

/// Sender of messages.
#[derive(Debug)]
pub(super) struct Sender {
    /// Its index in the run.
    index: u32,
    /// Its index in the process.
    channel: u64,
    /// Number of messages that have become due (open loop).
    pub(super) due: u64,
    /// Number of messages that were queued.
    queued: u64,
    /// Number of those after the warm-up.
    measured: u64,
    /// Number of messages that have returned, or are known to be lost.
    returned: u64,
    /// Its last message is queued.
    has_ended: bool,
    /// Time at which a message last returned, or was sent with none in flight.
    last_progress: Duration,
}

impl Sender {
    /// Creates a sender with these indexes in the run and in the process.
    pub(super) fn new(index: u32, channel: u64) -> Self {
        Self {
            index,
            channel,
            due: 0,
            queued: 0,
            measured: 0,
            returned: 0,
            has_ended: false,
            last_progress: Duration::ZERO,
        }
    }

    /// Returns its index in the run.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Returns the number of messages that were queued.
    pub(super) fn queued(&self) -> u64 {
        self.queued
    }

    /// Returns the number of messages that are due and have not been queued (open loop).
    pub(super) fn backlog(&self) -> u64 {
        self.due.saturating_sub(self.queued)
    }

    /// Returns the number of messages that have not returned.
    pub(super) fn in_flight(&self) -> u64 {
        self.queued - self.returned
    }

    /// Returns `true` if nothing has returned for longer than the limit, although it was sent.
    pub(super) fn is_late(&self, now: Duration, limit: Duration) -> bool {
        self.in_flight() > 0 && now.saturating_sub(self.last_progress) > limit
    }

    /// Handles a message of the run; returns `true` if it is its own.
    #[inline]
    pub(super) fn receive(&mut self, id: MessageId, now: Duration) -> bool {
        let is_own = id.sender == self.index;
        if is_own {
            // The check of the member finds what is wrong with the messages before it.
            self.returned = self.returned.max(id.counter.saturating_add(1)).min(self.queued);
            self.last_progress = now;
        }
        is_own
    }

    /// Waits no longer for the messages in flight; returns how many they are, without the last one, which is not counted.
    pub(super) fn give_up(&mut self) -> u64 {
        let lost = self.in_flight();
        self.returned = self.queued;
        lost.saturating_sub(self.has_ended.into())
    }

    /// Queues the messages that may be sent now; after all messages, the last one. Returns `true` if there is more to queue
    /// at once.
    pub(super) fn queue(
        &mut self,
        context: &mut Context<'_, Shared>,
        form: Form,
        output: &mut Vec<u8>,
        now: Duration,
    ) -> bool {
        if self.has_ended || output.len() > MAX_UNSENT {
            return false;
        }
        if self.in_flight() == 0 {
            self.last_progress = now;
        }
        let sendable = self.sendable(context);
        let queued = sendable.min(MAX_QUEUED);
        for _ in 0..queued {
            let due =
                context.schedule.as_ref().map(|it| it.channel_due_at(self.channel, self.queued));
            let since = due.unwrap_or(now);
            let kind = if since >= context.config.warmup { Kind::Measured } else { Kind::Warmup };
            if kind == Kind::Measured {
                self.measured += 1;
                if due.is_some() {
                    context.stats.lag.record(now.saturating_sub(since));
                }
            }
            self.write(context, form, output, kind, since, now);
        }
        if queued < sendable {
            return true;
        }
        if self.backlog() == 0 && context.messages_left(self.measured) == 0 {
            self.has_ended = true;
            self.write(context, form, output, Kind::End, now, now);
        }
        false
    }

    /// Returns how many messages may be sent now.
    fn sendable(&self, context: &Context<'_, Shared>) -> u64 {
        match context.config.pace {
            Pace::Depth(depth) => u64::from(depth)
                .saturating_sub(self.in_flight())
                .min(context.messages_left(self.measured)),
            Pace::Rate(_) => self.backlog(),
        }
    }

    fn write(
        &mut self,
        context: &mut Context<'_, Shared>,
        form: Form,
        output: &mut Vec<u8>,
        kind: Kind,
        since: Duration,
        now: Duration,
    ) {
        let id = MessageId { sender: self.index, counter: self.queued };
        let time_ns = context.shared.clock_ns(since, now);
        let len = context.streams.line_len(self.index.into(), self.queued);
        let len = usize::try_from(len).expect("at most 8,192 bytes");
        let texts = context.shared.texts;
        form.write_message(len, output, |output| {
            texts.write(&Fields { kind, id, time_ns }, len, output);
        });
        self.queued += 1;
    }
}
