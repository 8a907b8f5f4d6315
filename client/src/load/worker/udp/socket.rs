//! UDP socket of a load, as a channel of the event loop.
//!
//! A datagram that does not return within the time limit is given up, and another may be sent in its place.
//!
//! The clock is read once for a batch: before it is sent, and after it was received. So the time of a datagram is at least the
//! time that it took, and no batch makes a server look faster.

use std::{
    io::{self, ErrorKind as Io},
    time::Duration,
};

use mio::{Token, event::Event};
use rustix::{fs::fstat, io::Errno};
use socket2::Socket;

use super::{
    batch::{Batch, Segmentation},
    diagnose::explain,
    expectation::{Arrival, DatagramId, Expectation, Returned},
    received::{BATCH, Receiving},
};
use crate::load::{
    host::sockets::datagrams_dropped,
    ipc::worker_config::{Pace, Server, WorkerConfig},
    stats::error_kind::ErrorKind,
    worker::io::{channel::Channel, context::Context},
};

/// Time in which copies may still arrive after the last datagram has returned.
const LINGER: Duration = Duration::from_millis(100);

/// UDP socket of a load.
#[derive(Debug)]
pub(in crate::load::worker) struct UdpSocket {
    token: Token,
    number: u64,
    /// Socket; kept open to the end of the run, because the system forgets its counters when it is closed.
    socket: Option<Socket>,
    segmentation: Segmentation,
    receiving: Receiving,
    state: State,
    expectation: Expectation,
    /// Number of datagrams that have become due (open loop).
    due: u64,
    /// Number of datagrams that were sent after the warm-up.
    measured: u64,
    /// There may be more to receive, for which no event will come.
    has_more: bool,
    /// It reached the limit of a turn, and has more to do.
    has_yielded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing is in flight, and nothing more is sent, since this time.
    Lingering(Duration),
    Finished,
}

impl Channel for UdpSocket {
    type Shared = Batch;

    fn shared(config: &WorkerConfig) -> Batch {
        Batch::new(config.max_size as usize)
    }

    fn new(context: &Context<'_, Batch>, index: u32) -> Self {
        let number = context.channel_number(index);
        Self {
            token: Token(index as usize),
            number,
            socket: None,
            segmentation: Segmentation::default(),
            receiving: Receiving::default(),
            state: State::Open,
            expectation: Expectation::new(number, context.channel_count()),
            due: 0,
            measured: 0,
            has_more: false,
            has_yielded: false,
        }
    }

    fn connect(&mut self, context: &mut Context<'_, Batch>) -> io::Result<()> {
        let socket = context.open_udp_socket(self.token, self.number)?;
        if let Some(len) = context.streams.uniform_len().and_then(|len| len.try_into().ok()) {
            self.segmentation = Segmentation::enable(&socket, len);
        }
        if context.config.pace != Pace::Depth(1) {
            self.receiving = Receiving::enable_offload(&socket);
        }
        self.socket = Some(socket);
        Ok(())
    }

    fn extend_backlog(&mut self, due: u64) -> bool {
        let had_backlog = self.backlog() > 0;
        self.due = due;
        !had_backlog && self.backlog() > 0
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn handle_event(&mut self, context: &mut Context<'_, Batch>, _: &Event) {
        self.drive(context);
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn drive(&mut self, context: &mut Context<'_, Batch>) {
        match self.transfer(context) {
            Ok(()) => self.finish_if_idle(context),
            Err(_) => self.fail(context),
        }
    }

    fn take_yielded(&mut self) -> bool {
        std::mem::take(&mut self.has_yielded)
    }

    fn stop(&mut self, context: &mut Context<'_, Batch>) {
        debug_assert!(context.is_stopping);
        self.finish_if_idle(context);
    }

    fn drop_warmup(&mut self, context: &mut Context<'_, Batch>) {
        self.due = self.expectation.sent();
        context.drop_warmup(self.token.0 as u64, self.due);
        if context.is_stopping {
            self.stop(context);
        }
    }

    fn drop_unsent(&mut self, context: &mut Context<'_, Batch>) {
        let (index, sent) = (self.token.0 as u64, self.expectation.sent());
        context.record_late(index, sent..self.due);
        context.record_unsent(index, sent..self.due);
        self.due = sent;
        self.stop(context);
    }

    fn check_timeouts(&mut self, context: &mut Context<'_, Batch>, now: Duration) {
        if self.has_more {
            self.drive(context);
        }
        // A datagram that has arrived and has not been received is not lost.
        if self.has_more || self.is_finished() {
            return;
        }
        let in_flight = self.expectation.in_flight();
        if let Some(limit) = now.checked_sub(context.config.timeout) {
            self.give_up(context, limit);
        }
        match self.state {
            State::Lingering(since) if now.saturating_sub(since) >= LINGER => {
                self.state = State::Finished;
            }
            // Another datagram may be sent, or the last one has been given up.
            _ if self.expectation.in_flight() < in_flight => self.drive(context),
            _ => {}
        }
    }

    fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    fn finalize(all: &[Self], context: &mut Context<'_, Batch>) {
        let sockets = all.iter().filter_map(|channel| channel.socket.as_ref());
        let inodes = sockets.filter_map(|socket| Some(fstat(socket).ok()?.st_ino)).collect();
        let is_ipv4 = matches!(context.config.server, Server::Udp(address) if address.is_ipv4());
        context.stats.datagrams.dropped = datagrams_dropped(&inodes, is_ipv4).unwrap_or(0);
    }
}

impl UdpSocket {
    /// Sends and receives as far as possible; stops after a batch, or after the message with its last datagram.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn transfer(&mut self, context: &mut Context<'_, Batch>) -> io::Result<()> {
        self.send_pending(context, None)?;
        let mut left = BATCH;
        while left > 0 {
            let Some(socket) = &self.socket else { return Ok(()) };
            let in_flight = usize::try_from(self.expectation.in_flight()).unwrap_or(BATCH);
            let max = in_flight.clamp(1, left);
            match context.shared.received.receive(socket, self.receiving, max) {
                Ok(may_have_more) => {
                    let now = context.now();
                    let count = context.shared.received.len();
                    (0..count).for_each(|index| self.handle_datagram(context, index, now));
                    let is_last = self.expectation.in_flight() == 0;
                    self.send_pending(context, Some(now))?;
                    if !may_have_more {
                        self.has_more = false;
                        return Ok(());
                    }
                    if is_last && self.expectation.in_flight() > 0 {
                        // Everything in flight has returned, so another receive would mostly fail. Anything
                        // that has arrived nevertheless is received with the next datagram.
                        self.has_more = true;
                        return Ok(());
                    }
                    left = left.saturating_sub(count);
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => {
                    self.has_more = false;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        (self.has_more, self.has_yielded) = (true, true);
        Ok(())
    }

    /// Sends the datagrams that may be sent now, at most a batch, as far as the socket accepts them.
    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn send_pending(
        &mut self,
        context: &mut Context<'_, Batch>,
        mut now: Option<Duration>,
    ) -> io::Result<()> {
        let mut left = BATCH;
        while left > 0 {
            let max = left.min(self.segmentation.max_batch());
            let count = usize::try_from(self.sendable(context)).map_or(max, |count| count.min(max));
            let Some(socket) = self.socket.as_ref().filter(|_| count > 0) else { return Ok(()) };
            let Context { streams, shared: batch, .. } = context;
            batch.compose(count, |index, buffer| {
                self.expectation.write(streams, index as u64, buffer)
            });
            let now = *now.get_or_insert_with(|| context.now());
            match context.shared.send(socket, &mut self.segmentation) {
                Ok(sent) => {
                    self.mark_sent(context, sent, now);
                    left -= sent;
                }
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) if error.kind() == Io::WouldBlock => return Ok(()),
                // The queue of the network device is full, and no event tells when it has room.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => break,
                Err(error) => return Err(error),
            }
        }
        self.has_yielded |= self.sendable(context) > 0;
        Ok(())
    }

    /// Returns the number of datagrams that are due and have not been sent (open loop).
    fn backlog(&self) -> u64 {
        self.due.saturating_sub(self.expectation.sent())
    }

    /// Returns the number of datagrams that may be sent now.
    fn sendable(&self, context: &Context<'_, Batch>) -> u64 {
        match context.config.pace {
            Pace::Depth(depth) => u64::from(depth)
                .saturating_sub(self.expectation.in_flight())
                .min(context.messages_left(self.measured)),
            Pace::Rate(_) => self.backlog(),
        }
    }

    /// Counts the first datagrams of the composed batch, at least one, which have been sent.
    fn mark_sent(&mut self, context: &mut Context<'_, Batch>, count: usize, now: Duration) {
        context.stats.bytes_sent += context.shared.len_of_first(count) as u64;
        context.last_progress = now;
        for _ in 0..count {
            let (index, number) = (self.token.0 as u64, self.expectation.sent());
            let due = context.schedule.as_ref().map(|it| it.channel_due_at(index, number));
            let since = due.unwrap_or(now);
            if since >= context.config.warmup {
                self.measured += 1;
                context.stats.datagrams.sent += 1;
                if due.is_some() {
                    context.stats.lag.record(now.saturating_sub(since));
                }
            }
            self.expectation.mark_sent(since, now);
        }
    }

    /// Counts the received datagram with this index in the batch.
    fn handle_datagram(&mut self, context: &mut Context<'_, Batch>, index: usize, now: Duration) {
        let Context { streams, stats, shared: batch, scratch, config, last_progress, .. } = context;
        let received = batch.received.datagram(index);
        match self.expectation.receive(streams, received, scratch) {
            Arrival::Returned(Returned { since, is_late, is_reordered }) => {
                stats.bytes_checked += received.len() as u64;
                *last_progress = now;
                if since >= config.warmup {
                    stats.messages += 1;
                    stats.latency.record(now.saturating_sub(since));
                    stats.datagrams.late += u64::from(is_late);
                    stats.datagrams.reordered += u64::from(is_reordered);
                }
            }
            Arrival::Duplicate => stats.datagrams.duplicates += 1,
            Arrival::Unrecognized => stats.datagrams.unrecognized += 1,
            Arrival::Corrupt(id) => self.record_corrupt(context, index, id),
        }
    }

    fn record_corrupt(&self, context: &mut Context<'_, Batch>, index: usize, id: DatagramId) {
        let Context { streams, stats, shared: batch, scratch, .. } = context;
        stats.record_error(ErrorKind::WrongBytes);
        if stats.has_room_for_fault() {
            let (sent, received) = (self.expectation.sent(), batch.received.datagram(index));
            stats.faults.push(explain(streams, self.number, sent, id, received, scratch));
        }
    }

    /// Counts the datagrams as lost that were sent before this time and have not returned.
    fn give_up(&mut self, context: &mut Context<'_, Batch>, before: Duration) {
        let warmup = context.config.warmup;
        let timed_out = &mut context.stats.datagrams.timed_out;
        self.expectation.give_up(before, |since| *timed_out += u64::from(since >= warmup));
    }

    fn finish_if_idle(&mut self, context: &Context<'_, Batch>) {
        let is_idle = self.expectation.in_flight() == 0
            && self.backlog() == 0
            && context.messages_left(self.measured) == 0;
        if self.state == State::Open && is_idle {
            self.state = State::Lingering(context.now());
        }
    }

    /// Finishes the socket after an error: datagrams are no longer delivered, and those in flight will not
    /// return.
    fn fail(&mut self, context: &mut Context<'_, Batch>) {
        context.stats.record_error(ErrorKind::Unreachable);
        self.give_up(context, Duration::MAX);
        self.state = State::Finished;
    }
}
