//! Transfer: receives, checks and sends messages. This is the hot path.

use std::{
    io::{self, ErrorKind as Io},
    time::Duration,
};

use super::{
    expectation::{LineSink, Since},
    state::{Connection, State, TURN},
};
use crate::load::{
    ipc::worker_config::Pace,
    stats::error_kind::ErrorKind,
    worker::io::{
        channel::Channel as _,
        context::{CHUNK, Context},
        wire::Wire,
    },
};

/// Maximum number of messages of an open loop that are queued in one turn: each costs time, and a client that is far
/// behind must also receive.
const MAX_QUEUED: u64 = 1024;

impl<W: Wire> Connection<W> {
    /// Receives and sends as far as possible, within the limit of a turn.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    pub(super) fn transfer(&mut self, context: &mut Context<'_>) -> Result<(), ErrorKind> {
        if self.is_connecting() {
            if let Err(error) = self.complete_connect(context) {
                return self.retry_later(context, &error);
            }
            self.reconnected_at = context.now();
        }
        let mut writes_left = TURN;
        let mut sent = self.send_pending(context, None, &mut writes_left);
        for _ in 0..TURN {
            let State::Open(wire) = &mut self.state else {
                return self.await_end(context);
            };
            match wire.receive(&mut context.received) {
                Ok(0) => return self.handle_end(context, &sent),
                Ok(read) => {
                    let now = context.now();
                    self.last_activity = now;
                    self.drained_at = None;
                    self.check_received(context, read, now);
                    sent = self.send_pending(context, Some(now), &mut writes_left);
                    let is_short = read < CHUNK && !self.may_have_more();
                    if is_short && !self.has_pending_end && sent.is_ok() {
                        return self.close_if_idle(context);
                    }
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => {
                    // The connection neither accepts nor returns bytes any more.
                    sent.map_err(|_| ErrorKind::Reset)?;
                    return self.close_if_idle(context);
                }
                Err(error) => return self.handle_failure(context, &error),
            }
        }
        self.has_yielded = true;
        // A server that sends control frames without a pause must not keep the connection open.
        if sent.is_ok() { self.close_if_idle(context) } else { Ok(()) }
    }

    /// Returns `true` if a read that did not fill its buffer has not emptied the socket.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn may_have_more(&mut self) -> bool {
        if let State::Open(wire) = &mut self.state { wire.may_have_more() } else { false }
    }

    /// Checks the first `read` bytes of the receive buffer.
    fn check_received(&mut self, context: &mut Context<'_>, read: usize, now: Duration) {
        let Context { streams, schedule, stats, received, scratch, config, last_progress, .. } =
            context;
        let index = self.index();
        let received = &received[..read];
        let before = self.expectation.next_expected().offset();
        let checked = self.expectation.check(streams, received, scratch, |since, lines| {
            let mut record = |since, count| {
                if since >= config.warmup {
                    stats.messages += count;
                    stats.latency.record_n(now.saturating_sub(since), count);
                }
            };
            match (since, &schedule) {
                (Since::Queued(since), _) => record(since, lines.end - lines.start),
                (Since::Due, Some(schedule)) => {
                    lines.for_each(|line| record(schedule.channel_due_at(index, line), 1));
                }
                (Since::Due, None) => {}
            }
            *last_progress = now;
        });
        stats.bytes_checked += self.expectation.next_expected().offset() - before;
        if let Err(mismatch) = checked
            && let State::Open(wire) = self.take_state()
        {
            self.state = State::Diagnosing(wire, received[mismatch.valid..].to_vec());
        }
    }

    /// Queues the messages that may be sent now, and sends what the socket accepts.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn send_pending(
        &mut self,
        context: &mut Context<'_>,
        now: Option<Duration>,
        writes_left: &mut usize,
    ) -> io::Result<()> {
        let lines = self.sendable_lines(context);
        if lines > 0 {
            let now = now.unwrap_or_else(|| context.now());
            self.queue(context, lines, now);
        }
        if let State::Open(wire) = &mut self.state
            && self.expectation.has_unsent()
        {
            let before = self.expectation.sent_bytes();
            let mut wire = LimitedWire(wire, writes_left);
            let sent = self.expectation.send(&context.streams, &mut wire, &mut context.scratch);
            self.has_yielded |= *wire.1 == 0;
            context.stats.bytes_sent += self.expectation.sent_bytes() - before;
            sent?;
        }
        Ok(())
    }

    /// Queues this many messages.
    fn queue(&mut self, context: &mut Context<'_>, lines: u64, now: Duration) {
        if self.expectation.in_flight() == 0 {
            self.last_activity = now;
        }
        let warmup = context.config.warmup;
        let Some(schedule) = &context.schedule else {
            self.expectation.queue(&context.streams, lines, Since::Queued(now));
            self.measured += if now >= warmup { lines } else { 0 };
            return;
        };
        let (index, first) = (self.index(), self.expectation.queued_lines());
        for number in first..first + lines {
            let due = schedule.channel_due_at(index, number);
            if due >= warmup {
                let sendable = due.max(self.reconnected_at);
                context.stats.lag.record(now.saturating_sub(sendable));
                self.measured += 1;
            }
        }
        self.expectation.queue(&context.streams, lines, Since::Due);
        self.has_yielded |= self.backlog() > 0;
    }

    /// Returns how many more messages may be sent on this socket now.
    fn sendable_lines(&self, context: &Context<'_>) -> u64 {
        let State::Open(_) = self.state else {
            return 0;
        };
        let queued = self.expectation.queued_lines();
        let lines = match context.config.pace {
            Pace::Depth(depth) => {
                let free = u64::from(depth) - self.expectation.in_flight();
                free.min(context.messages_left(self.measured))
            }
            Pace::Rate(_) => self.backlog().min(MAX_QUEUED),
        };
        let churn = context.config.churn.unwrap_or(u64::MAX);
        lines.min(churn - (queued - self.lines_at_connect))
    }
}

/// Wire that accepts a limited number of writes, and then would block.
struct LimitedWire<'s, W>(&'s mut W, &'s mut usize);

impl<W: Wire> LineSink for LimitedWire<'_, W> {
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn send(&mut self, bytes: &[u8], rest: impl FnOnce() -> u64) -> io::Result<usize> {
        *self.1 = self.1.checked_sub(1).ok_or(Io::WouldBlock)?;
        self.0.transmit(bytes, rest)
    }
}
