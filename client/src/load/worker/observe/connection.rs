//! Observed connection, as a channel of the event loop.
//!
//! It sends its messages, ends its direction after the last one, and receives until the server ends the other direction: so a missing
//! message is known without a time limit. It does not fail: whatever happens is in its observation.

use std::{
    io,
    time::{Duration, Instant},
};

use mio::{Token, event::Event};

use super::{outgoing::Outgoing, seen::Seen, wire::ObservedWire};
use crate::load::{
    ipc::worker_config::{Pace, WorkerConfig},
    worker::{
        io::{channel::Channel, context::Context, opening::Opening, wire::Wire as _},
        payload::cursor::Cursor,
    },
};

/// Maximum number of reads, and of messages that are sent, in one turn.
const TURN: usize = 16;

/// Maximum number of connections of a process that replace one that has ended: each has an observation.
const MAX_REPLACED: usize = 100_000;

/// Connection of a load that expects faults.
#[derive(Debug)]
pub(in crate::load::worker) struct ObservedConnection {
    token: Token,
    number: u64,
    state: State,
    /// Next message to send, in the stream of the channel.
    next: Cursor,
    /// What the present connection sends.
    outgoing: Outgoing,
    /// What the present connection has seen.
    seen: Seen,
    /// Number of messages that have become due (open loop).
    due: u64,
    /// Number of messages that were sent after the warm-up.
    measured: u64,
    /// Time at which something last happened.
    active_at: Instant,
    has_yielded: bool,
}

#[derive(Debug)]
enum State {
    Connecting(Opening<ObservedWire>),
    Open(ObservedWire),
    /// The layers have ended; what follows on the socket is counted.
    Ending(ObservedWire),
    /// Nothing is left of the connection; there may be another one.
    Ended,
    Finished,
}

impl Channel for ObservedConnection {
    type Shared = ();

    fn shared(_: &WorkerConfig) {}

    fn new(context: &Context<'_>, index: u32) -> Self {
        let number = context.channel_number(index);
        let next = Cursor::new(&context.streams, number);
        Self {
            token: Token(index as usize),
            number,
            state: State::Ended,
            outgoing: Outgoing::default(),
            seen: Seen::new(context, &next, None),
            next,
            due: 0,
            measured: 0,
            active_at: Instant::now(),
            has_yielded: false,
        }
    }

    fn connect(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let source = context.source_address(self.number);
        // A server may accept the connection before the call returns.
        let started = Instant::now();
        let mut opening = Opening::<ObservedWire>::start(context, self.token, source)?;
        opening.wire_mut().tap.started = started;
        self.seen = Seen::new(context, &self.next, opening.local_address());
        self.outgoing = Outgoing::default();
        self.active_at = Instant::now();
        self.state = State::Connecting(opening);
        Ok(())
    }

    /// A server with faults may never complete a handshake, which must not keep the others from their start.
    fn is_connecting(&self) -> bool {
        false
    }

    fn extend_backlog(&mut self, due: u64) -> bool {
        let had_backlog = self.backlog() > 0;
        self.due = due;
        !had_backlog && self.backlog() > 0
    }

    fn handle_event(&mut self, context: &mut Context<'_>, _: &Event) {
        self.drive(context);
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Connecting(opening) => self.open(context, opening),
            State::Open(wire) => self.transfer(context, wire),
            State::Ending(wire) => self.await_end(context, wire),
            State::Ended => self.replace(context),
            State::Finished => self.state = State::Finished,
        }
    }

    fn take_yielded(&mut self) -> bool {
        std::mem::take(&mut self.has_yielded)
    }

    fn stop(&mut self, context: &mut Context<'_>) {
        self.drive(context);
    }

    fn drop_warmup(&mut self, context: &mut Context<'_>) {
        self.due = self.next.lines();
        context.drop_warmup(self.token.0 as u64, self.due);
    }

    fn drop_unsent(&mut self, context: &mut Context<'_>) {
        let (index, sent) = (self.token.0 as u64, self.next.lines());
        context.record_unsent(index, sent..self.due);
        self.due = sent;
        self.drive(context);
    }

    fn check_timeouts(&mut self, context: &mut Context<'_>, _: Duration) {
        let is_late = self.active_at.elapsed() > context.config.timeout;
        match std::mem::replace(&mut self.state, State::Ended) {
            // A server that has lost the last messages ends its direction after ours.
            State::Open(mut wire) if is_late && !self.outgoing.has_ended => {
                self.outgoing.end(&mut wire);
                self.active_at = Instant::now();
                self.state = State::Open(wire);
            }
            State::Open(wire) | State::Ending(wire) if is_late => {
                self.seen.end.is_timed_out = true;
                self.finish(context, &wire);
            }
            State::Connecting(opening) if is_late => {
                self.seen.end.is_timed_out = true;
                self.finish(context, &opening.into_wire());
            }
            state => self.state = state,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_) | State::Ending(_))
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    fn finalize(_: &[Self], _: &mut Context<'_>) {}
}

impl ObservedConnection {
    /// Continues to connect, with the handshakes and the login.
    fn open(&mut self, context: &mut Context<'_>, mut opening: Opening<ObservedWire>) {
        match opening.advance(context) {
            Ok(true) => {
                let wire = opening.into_wire();
                self.seen.begin(&wire);
                self.active_at = Instant::now();
                self.transfer(context, wire);
            }
            Ok(false) => self.state = State::Connecting(opening),
            Err(error) => {
                let is_connected = opening.is_connected();
                let mut wire = opening.into_wire();
                wire.tap.note_error(&error);
                self.seen.note_failure(&error, is_connected);
                self.finish(context, &wire);
            }
        }
    }

    /// Sends and receives as far as possible, within the limit of a turn.
    fn transfer(&mut self, context: &mut Context<'_>, mut wire: ObservedWire) {
        for _ in 0..TURN {
            self.send(context, &mut wire);
            match wire.receive(&mut context.received) {
                Ok(0) => return self.end(context, wire),
                Ok(count) => {
                    self.active_at = Instant::now();
                    self.seen.receive(context, &mut wire, count, &self.outgoing);
                    if self.seen.is_violated() {
                        return self.finish(context, &wire);
                    }
                    if self.seen.is_closing() {
                        self.outgoing.end(&mut wire);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.state = State::Open(wire);
                    return;
                }
                Err(error) => {
                    wire.tap.note_error(&error);
                    if wire.tap.end.is_none() {
                        self.seen.note_failure(&error, true);
                    }
                    return self.finish(context, &wire);
                }
            }
        }
        self.has_yielded = true;
        self.state = State::Open(wire);
    }

    /// Handles the end of the layers: with TLS, the end of the socket follows.
    fn end(&mut self, context: &mut Context<'_>, mut wire: ObservedWire) {
        self.seen.end.is_after_ours = self.outgoing.has_ended;
        if wire.tap.end.is_some() {
            return self.finish(context, &wire);
        }
        self.seen.has_close_notify = true;
        self.outgoing.end(&mut wire);
        self.await_end(context, wire);
    }

    fn await_end(&mut self, context: &mut Context<'_>, mut wire: ObservedWire) {
        wire.flush();
        for _ in 0..TURN {
            match wire.receive_rest(&mut context.received) {
                Ok(1..) => self.active_at = Instant::now(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.state = State::Ending(wire);
                    return;
                }
                Ok(0) | Err(_) => return self.finish(context, &wire),
            }
        }
        self.has_yielded = true;
        self.state = State::Ending(wire);
    }

    /// Sends the messages that may be sent, and ends this direction after the last one.
    fn send(&mut self, context: &mut Context<'_>, wire: &mut ObservedWire) {
        for _ in 0..TURN {
            if !self.outgoing.advance(wire, &mut self.seen.times) || self.outgoing.has_ended {
                return;
            }
            if !self.has_more(context) {
                return self.outgoing.end(wire);
            }
            if !self.may_send(context) {
                return;
            }
            let message = self.next_message(context);
            context.stats.bytes_sent += message.len() as u64;
            self.outgoing.begin(wire, message);
        }
        self.has_yielded = true;
    }

    fn next_message(&mut self, context: &Context<'_>) -> Vec<u8> {
        let now = context.now();
        let due = context
            .schedule
            .as_ref()
            .map(|schedule| schedule.channel_due_at(self.token.0 as u64, self.next.lines()));
        self.measured += u64::from(due.unwrap_or(now) >= context.config.warmup);
        let len = self.next.len_of_lines(&context.streams, 1);
        let mut message = vec![0; usize::try_from(len).expect("a message fits in memory")];
        self.next.fill(&context.streams, &mut message);
        self.next.advance(&context.streams, len);
        message
    }

    /// Returns `true` if there are more messages to send on this connection, now or later.
    fn has_more(&self, context: &Context<'_>) -> bool {
        let is_spent = context.config.churn.is_some_and(|churn| self.outgoing.begun() >= churn);
        !is_spent && self.has_messages(context)
    }

    /// Returns `true` if the channel has more messages to send.
    fn has_messages(&self, context: &Context<'_>) -> bool {
        self.backlog() > 0 || context.messages_left(self.measured) > 0
    }

    fn may_send(&mut self, context: &Context<'_>) -> bool {
        match context.config.pace {
            Pace::Depth(depth) => {
                let returned = self.seen.returned_messages();
                self.outgoing.begun().saturating_sub(returned) < depth.into()
            }
            Pace::Rate(_) => self.backlog() > 0,
        }
    }

    fn backlog(&self) -> u64 {
        self.due.saturating_sub(self.next.lines())
    }

    /// Hands the observation over. A connection counts for all messages that it should have sent, so that their number is limited.
    fn finish(&mut self, context: &mut Context<'_>, wire: &ObservedWire) {
        let unsent = context.config.churn.map_or(0, |churn| churn - self.outgoing.begun());
        self.measured += unsent.min(context.messages_left(self.measured));
        self.seen.finish(context, wire, &self.outgoing);
        self.state = State::Ended;
        self.has_yielded = true;
    }

    /// Makes another connection if connections are replaced and messages are left to send.
    fn replace(&mut self, context: &mut Context<'_>) {
        let is_replaced = context.config.churn.is_some()
            && self.has_messages(context)
            && context.observed < MAX_REPLACED;
        if !is_replaced {
            self.state = State::Finished;
        } else if let Err(error) = self.connect(context) {
            self.seen.note_failure(&error, false);
            self.seen.finish_unconnected(context);
            self.state = State::Finished;
        }
    }
}
