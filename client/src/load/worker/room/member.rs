//! Member of a room, as a channel of the event loop: its states and its time limits.

use std::{io, net::IpAddr, time::Duration};

use mio::{Token, event::Event};

use super::{
    check::Check, delivery::settle, error::Error, events::Form, sender::Sender, shared::Shared,
};
use crate::load::{
    ipc::worker_config::{Framing, Pace, Stop, WorkerConfig},
    stats::error_kind::ErrorKind,
    worker::io::{channel::Channel, context::Context, opening::Opening, wire::Wire},
};

/// Limit for the server's end of stream after ours.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Member of a room.
#[derive(Debug)]
pub(in crate::load::worker) struct Member<W> {
    token: Token,
    /// Number of the member in the run.
    pub(super) number: u64,
    /// Local address; `None` leaves the choice to the system.
    source: Option<IpAddr>,
    pub(super) form: Form,
    pub(super) state: State<W>,
    /// Check of its events, from its welcome on.
    pub(super) check: Option<Check>,
    /// Its part as a sender, if it is one.
    pub(super) sender: Option<Box<Sender>>,
    /// Received bytes of an incomplete event.
    pub(super) held: Vec<u8>,
    /// Bytes that the socket has not taken.
    pub(super) unsent: Vec<u8>,
    /// The load has started.
    pub(super) has_started: bool,
    /// Time at which bytes last arrived, or at which the present wait started.
    pub(super) last_activity: Duration,
    /// The end of the stream, or an error, follows the received bytes. This event is not repeated.
    pub(super) has_pending_end: bool,
    /// It reached the limit of a turn, and has more to do.
    pub(super) has_yielded: bool,
}

/// Phase of a member.
#[derive(Debug)]
pub(super) enum State<W> {
    /// The socket is connecting, or makes its handshakes.
    Connecting(Opening<W>),
    /// Events arrive; before the first one, the member joins.
    Open(W),
    /// Every event has arrived, and our direction is closed. The events until the server's end are checked too.
    Closing(W),
    /// The member is done, or its connection has failed.
    Finished,
}

impl<W: Wire> Channel for Member<W> {
    /// They take about a tenth of a millisecond.
    const TURNS_BETWEEN_SENDS: usize = 32;

    type Shared = Shared;

    fn shared(config: &WorkerConfig) -> Shared {
        Shared::new(config.seed, config.room.as_ref().map_or(0, |room| room.senders))
    }

    fn new(context: &Context<'_, Shared>, index: u32) -> Self {
        let number = context.channel_number(index);
        let framing = context.config.room.as_ref().map(|room| room.framing);
        let form = match framing.unwrap_or_default() {
            _ if W::IS_WEBSOCKET => Form::Objects,
            Framing::Length => Form::Frames,
            Framing::Text => Form::Lines,
        };
        let share = context.config.sending_share().filter(|share| index < share.channels);
        let WorkerConfig { process, processes, .. } = context.config;
        let sender = share.map(|_| Sender::new(process + processes * index, index.into()).into());
        Self {
            token: Token(index as usize),
            number,
            source: context.source_address(number),
            form,
            state: State::Finished,
            check: None,
            sender,
            held: Vec::new(),
            unsent: Vec::new(),
            has_started: false,
            last_activity: Duration::ZERO,
            has_pending_end: false,
            has_yielded: false,
        }
    }

    fn connect(&mut self, context: &mut Context<'_, Shared>) -> io::Result<()> {
        self.state = State::Connecting(Opening::start(context, self.token, self.source)?);
        Ok(())
    }

    fn is_connecting(&self) -> bool {
        match self.state {
            State::Connecting(_) => true,
            State::Open(_) => self.check.is_none(),
            State::Closing(_) | State::Finished => false,
        }
    }

    fn late_handshake(&self, limit: Duration) -> Option<io::Error> {
        match &self.state {
            State::Connecting(opening) => opening.late_handshake(limit),
            State::Open(_) if self.check.is_none() => {
                Some(Error::NoWelcome(limit, self.form).into())
            }
            _ => None,
        }
    }

    fn finish_connect(&mut self, context: &mut Context<'_, Shared>) -> io::Result<()> {
        if let State::Connecting(opening) = &mut self.state {
            if !opening.advance(context)? {
                return Ok(());
            }
            if let State::Connecting(opening) = self.take_state() {
                self.state = State::Open(opening.into_wire());
            }
        }
        self.exchange(context)
    }

    fn extend_backlog(&mut self, due: u64) -> bool {
        let Some(sender) = &mut self.sender else { return false };
        let had_backlog = sender.backlog() > 0;
        sender.due = due;
        !had_backlog && sender.backlog() > 0
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn handle_event(&mut self, context: &mut Context<'_, Shared>, event: &Event) {
        self.has_pending_end |= event.is_read_closed() || event.is_error();
        self.drive(context);
    }

    #[expect(clippy::inline_always, reason = "see `worker::io::socket`")]
    #[inline(always)]
    fn drive(&mut self, context: &mut Context<'_, Shared>) {
        let started = if self.has_started { Ok(()) } else { self.start(context) };
        if let Err(error) = started.and_then(|()| self.exchange(context)) {
            self.fail(context, &error);
        }
    }

    fn take_yielded(&mut self) -> bool {
        std::mem::take(&mut self.has_yielded)
    }

    fn stop(&mut self, context: &mut Context<'_, Shared>) {
        context.shared.last_event = context.now();
        if self.sender.is_some() {
            self.drive(context);
        }
    }

    fn drop_warmup(&mut self, context: &mut Context<'_, Shared>) {
        let Some(sender) = &mut self.sender else { return };
        sender.due = sender.queued();
        context.drop_warmup(self.token.0 as u64, sender.due);
        if context.is_stopping {
            self.drive(context);
        }
    }

    fn drop_unsent(&mut self, context: &mut Context<'_, Shared>) {
        let Some(sender) = &mut self.sender else { return };
        let (channel, queued) = (self.token.0 as u64, sender.queued());
        context.record_late(channel, queued..sender.due);
        context.record_unsent(channel, queued..sender.due);
        sender.due = queued;
        self.drive(context);
    }

    fn check_timeouts(&mut self, context: &mut Context<'_, Shared>, now: Duration) {
        let limit = context.config.timeout;
        let waited = now.saturating_sub(self.last_activity);
        match self.state {
            State::Open(_) => self.check_open(context, now, waited > limit),
            State::Closing(_) if waited > CLOSE_TIMEOUT.min(limit) => self.finish(context),
            _ => {}
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Counts nothing: a member counts everything when it finishes.
    fn finalize(_: &[Self], _: &mut Context<'_, Shared>) {}
}

impl<W: Wire> Member<W> {
    /// Applies the time limits of a member that receives.
    fn check_open(&mut self, context: &mut Context<'_, Shared>, now: Duration, is_late: bool) {
        let limit = context.config.timeout;
        if let Some(sender) = self.sender.as_mut().filter(|it| it.is_late(now, limit)) {
            context.stats.record_error(ErrorKind::Timeout);
            context.stats.lost += sender.give_up();
            self.drive(context);
            return;
        }
        match context.shared.last_number() {
            Some(last) if self.has_received(last) => self.close(context),
            // What has not arrived by now is missing.
            Some(_) if is_late => self.fail_with(context, ErrorKind::Timeout),
            Some(_) => {}
            None => {
                let waited = now.saturating_sub(context.shared.last_event);
                if end_limit(context).is_some_and(|limit| waited > limit) {
                    self.fail_with(context, ErrorKind::Timeout);
                }
            }
        }
    }

    /// Returns `true` if every event up to this one has arrived, or was told to be lost.
    pub(super) fn has_received(&self, last: u64) -> bool {
        self.check.as_ref().is_some_and(|check| check.next() > last)
    }

    /// Ends our direction.
    pub(super) fn close(&mut self, context: &Context<'_, Shared>) {
        if let State::Open(mut wire) = self.take_state() {
            wire.half_close();
            self.state = State::Closing(wire);
            self.last_activity = context.now();
        }
    }

    /// Finishes after every event has arrived.
    pub(super) fn finish(&mut self, context: &mut Context<'_, Shared>) {
        let last = context.shared.last_number();
        self.settle(context, last);
    }

    /// Counts an error, and finishes.
    pub(super) fn fail(&mut self, context: &mut Context<'_, Shared>, error: &io::Error) {
        let kind = context.record_failure(error).unwrap_or_else(|| match Error::inside(error) {
            Some(Error::Closed | Error::NotWelcomed) => ErrorKind::Closed,
            Some(other) => {
                context.stats.room_failure = Some(other.with_advice());
                ErrorKind::Room
            }
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                context.stats.truncated += 1;
                ErrorKind::Truncated
            }
            None => ErrorKind::Reset,
        });
        context.stats.record_error(kind);
        self.settle(context, None);
    }

    fn fail_with(&mut self, context: &mut Context<'_, Shared>, kind: ErrorKind) {
        context.stats.record_error(kind);
        let last = context.shared.last_number();
        self.settle(context, last);
    }

    /// Counts what is missing, and finishes.
    fn settle(&mut self, context: &mut Context<'_, Shared>, last: Option<u64>) {
        self.count_close(context);
        if let Some(check) = &mut self.check {
            settle(&mut context.stats, &context.shared, self.number, check, last);
        }
        if let Some(sender) = &mut self.sender {
            context.stats.lost += sender.give_up();
            context.shared.abandon(sender.index());
        }
        self.state = State::Finished;
    }

    /// Counts the end of an open WebSocket: with close frames of both sides, or without.
    fn count_close(&self, context: &mut Context<'_, Shared>) {
        if let (true, State::Open(wire) | State::Closing(wire)) = (W::IS_WEBSOCKET, &self.state) {
            let stats = &mut context.stats;
            *(if wire.has_closed() { &mut stats.closes } else { &mut stats.unclosed }) += 1;
        }
    }

    fn take_state(&mut self) -> State<W> {
        std::mem::replace(&mut self.state, State::Finished)
    }
}

/// Returns the time without events after which no end of the run is expected any more; `None` while messages may be far
/// apart. A sender gives up after the time limit, and ends then, so a member waits longer.
fn end_limit(context: &Context<'_, Shared>) -> Option<Duration> {
    let limit = context.config.timeout.saturating_mul(2);
    let ends_by_itself = matches!(context.config.stop, Stop::Messages(_));
    let interval = match context.config.pace {
        Pace::Rate(rate) => Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX),
        Pace::Depth(_) => Duration::ZERO,
    };
    (context.is_stopping || ends_by_itself).then(|| limit.saturating_add(interval))
}
