//! One connection: its socket, its unsent bytes, and its stage.
//!
//! The echo is sent from the buffer into which it was received. Only the bytes that the socket does not take
//! are copied, into the *send buffer*, and while it holds bytes nothing more is read: a peer that does not
//! read costs one read buffer at most, and an idle peer costs none.
//!
//! A connection knows neither polls nor other connections. The worker reports readiness once; the
//! connection must then continue until its socket has nothing more to give or take. It ends its turn with
//! [`Turn::Again`] when its budget is used up.

#[cfg(feature = "login")]
use std::borrow::Cow;
use std::{io, time::Instant};

use common::message::Splitter;

use super::{
    buffer::{HeldBytes, SendBuffer},
    drain_budget::DrainBudget,
    stage::Stage,
    stream::Stream,
    turn::{Readiness, Turn, TurnContext},
};
#[cfg(feature = "login")]
use crate::session::ProtocolHandler;
use crate::{
    admission::{Peer, Permit},
    config::{ListenerOptions, limits},
    layer::Layers,
    session::{EndCause, Next, Reason, Reply, Session},
    telemetry::{CloseReason, ConnectionEvent, ConnectionId, Receipt, Recorder, Subject},
};

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(super) stream: S,
    pub(super) id: ConnectionId,
    /// The peer's name in the log: the other end of the socket, until a PROXY header names another.
    pub(super) peer: Box<str>,
    /// The name of the proxy in front of the peer, until the connection is logged. Boxed twice: most have none.
    pub(super) proxy: Option<Box<Box<str>>>,
    pub(super) permit: Permit,
    pub(super) layers: Layers,
    pub(super) session: Session,
    pub(super) splitter: Splitter,
    /// Received bytes of an incomplete frame or PROXY header, which are parsed again with the next read.
    pub(super) held: HeldBytes,
    /// Bytes that the socket has not taken yet. `Some` is never empty.
    pub(super) send_buffer: Option<Box<SendBuffer>>,
    pub(super) stage: Stage,
    pub(super) readiness: Readiness,
    /// The bytes that are still to be served if the server drains.
    pub(super) drain: DrainBudget,
    /// The reason for which the connection ends.
    pub(super) close_reason: Option<CloseReason>,
    /// The connection has been logged: its peer has sent something (after the PROXY header, if there is
    /// one), or has been connected for a while. A health check connects and closes every second, and is
    /// not logged.
    pub(super) is_logged: bool,
    /// The time at which bytes last moved or the stage changed; timeouts count from it.
    pub(super) last_activity: Instant,
    pub(super) receipt: Receipt,
}

impl<S: Stream> Connection<S> {
    pub(crate) fn new(stream: S, peer: &Peer, permit: Permit, now: Instant) -> Self {
        let policy = permit.policy();
        let layers = policy.new_layers();
        let session = Self::new_session(&permit);
        Self {
            stream,
            id: ConnectionId::default(),
            peer: peer.to_string().into(),
            proxy: None,
            stage: Stage::first(policy.options.proxy, layers.is_established()),
            permit,
            layers,
            splitter: session.splitter(),
            session,
            held: HeldBytes::default(),
            send_buffer: None,
            readiness: Readiness::default(),
            drain: DrainBudget::UNLIMITED,
            close_reason: None,
            is_logged: false,
            last_activity: now,
            receipt: Receipt::new(now),
        }
    }

    /// Sets the identity, which the first worker of the connection chooses.
    pub(crate) fn set_id(&mut self, id: ConnectionId) {
        self.id = id;
    }

    /// Returns the connection as its events name it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { id: self.id, peer: &self.peer }
    }

    pub(super) fn options(&self) -> &ListenerOptions {
        &self.permit.policy().options
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns whether the connection waits until its socket is writable.
    pub(crate) fn wants_write(&self) -> bool {
        self.send_buffer.is_some()
    }

    /// Returns whether the next turn may take a step of a handshake, which takes as long as many messages.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.stage.is_preamble() && !self.layers.is_established()
    }

    /// Returns the number of bytes that the peer has yet to receive.
    pub(crate) fn unsent(&self) -> usize {
        let held = if self.stage.is_preamble() { 0 } else { self.held.len() };
        held + self.send_buffer.as_ref().map_or(0, |send_buffer| send_buffer.unsent())
    }

    /// Records readiness that the poll reported; a turn must follow.
    pub(crate) fn set_ready(&mut self, readiness: Readiness) {
        self.readiness.readable |= readiness.readable;
        self.readiness.has_more |= readiness.has_more;
    }

    /// Begins the drain; a turn must follow.
    pub(crate) fn drain(&mut self) {
        // If the socket cannot tell, it has an error that the next read returns.
        self.drain = DrainBudget::new(self.stream.received().unwrap_or(1));
        // The poll may not have reported yet what the socket holds.
        self.readiness.readable = true;
    }

    /// Makes progress as far as the socket and the turn's budget allow.
    pub(crate) fn turn(&mut self, context: &mut TurnContext<'_>) -> Turn {
        self.drive(context).unwrap_or_else(|error| self.lose(&error, context))
    }

    /// Gives the session its deadline or the idle timeout, for which [`expire`](Self::expire) has returned [`Turn::Again`].
    #[cold]
    pub(crate) fn expire_session(&mut self, context: &mut TurnContext<'_>) -> Turn {
        let is_idle = self.is_idle(context.now);
        let was_waiting = self.stage == Stage::Waiting;
        if was_waiting {
            self.stage = Stage::Serving;
        }
        let Some(handler) = self.session.handler() else { return Turn::Wait };
        let reply = if is_idle {
            let bytes = handler.end(EndCause::IdleTimeout, context.now);
            Reply { bytes, next: Next::Close(Reason::IdleTimeout) }
        } else {
            handler.expire(context.now)
        };
        let answered = self.answer(self.no_echo(), reply, context);
        if self.send_buffer.is_some() {
            // The peer has taken nothing since now, not since its last message.
            self.last_activity = context.now;
        }
        let answered = match answered {
            Ok(()) if was_waiting => self.serve_held(context),
            answered => answered,
        };
        answered.map_or_else(|error| self.lose(&error, context), |()| Turn::Again)
    }

    /// Ends the session, because a reload has removed its user.
    #[cfg(feature = "login")]
    #[cold]
    pub(crate) fn end_removed_user(&mut self, context: &mut TurnContext<'_>) -> Turn {
        let Some(user) = self.removed_user().map(str::to_owned) else { return Turn::Wait };
        if !self.stage.is_in_session() {
            return Turn::Wait;
        }
        context.telemetry.record(self.subject(), ConnectionEvent::UserRemoved { user: &user });
        let end =
            |handler: &mut dyn ProtocolHandler| handler.end(EndCause::UserRemoved, context.now);
        let bytes = self.session.handler().map_or(Cow::Borrowed(&b""[..]), end);
        let reply = Reply { bytes, next: Next::Close(Reason::UserRemoved) };
        let answered = self.answer(self.no_echo(), reply, context);
        answered.map_or_else(|error| self.lose(&error, context), |()| Turn::Again)
    }

    /// Records that the connection has failed.
    #[cold]
    fn lose(&mut self, error: &io::Error, context: &TurnContext<'_>) -> Turn {
        self.end_because(CloseReason::of(error));
        if self.is_logged {
            let event = ConnectionEvent::Lost { error, unsent: self.unsent() };
            context.telemetry.record(self.subject(), event);
        }
        self.log_incomplete_header(context.telemetry);
        Turn::Over
    }

    fn drive(&mut self, context: &mut TurnContext<'_>) -> io::Result<Turn> {
        let mut reads_left = limits::TURN_READS;
        if self.send_buffer.is_some() {
            self.flush(context)?;
            if self.send_buffer.is_none() {
                self.resume(context)?;
            }
        }
        while self.send_buffer.is_none() {
            match self.stage {
                Stage::ProxyHeader | Stage::Handshake | Stage::Serving | Stage::Waiting
                    if self.drain.is_used_up() =>
                {
                    self.end_drain(context)?;
                }
                Stage::ProxyHeader | Stage::Handshake | Stage::Serving | Stage::Lingering
                    if self.readiness.readable =>
                {
                    if reads_left == 0 {
                        return Ok(Turn::Again);
                    }
                    let messages = self.read(context)?;
                    reads_left = reads_left.saturating_sub(1 + messages / limits::TURN_MESSAGES);
                }
                Stage::ProxyHeader | Stage::Handshake | Stage::Serving | Stage::Lingering => {
                    return Ok(Turn::Wait);
                }
                Stage::Waiting => return Ok(Turn::Wait),
                Stage::Paused if reads_left == 0 => return Ok(Turn::Again),
                Stage::Paused => {
                    reads_left -= 1;
                    self.enter(Stage::Serving, context.now);
                    self.resume(context)?;
                }
                Stage::Flushing | Stage::Ending | Stage::Closing | Stage::Delivering => {
                    if let Some(turn) = self.finish(context)? {
                        return Ok(turn);
                    }
                }
            }
        }
        Ok(Turn::Wait)
    }

    /// Ends the session or the preamble: the server drains, and everything that was received is served.
    #[cold]
    fn end_drain(&mut self, context: &mut TurnContext<'_>) -> io::Result<()> {
        let was_preamble = self.stage.is_preamble();
        if !was_preamble && let Some(handler) = self.session.handler() {
            let Some(reply) = handler.drain(context.now) else {
                self.drain.extend();
                return Ok(());
            };
            // The peer has time for its answer, however long it was silent.
            self.last_activity = context.now;
            return self.answer(self.no_echo(), reply, context);
        }
        self.end_because(CloseReason::Drain);
        self.enter(Stage::Flushing, context.now);
        if was_preamble {
            // A peer that has sent data is no probe.
            self.is_logged |= !self.held.is_empty();
            self.held = HeldBytes::default();
            return Ok(());
        }
        self.echo_held(context)
    }

    /// Takes the next step to the end of the connection. Returns the end of the turn, if there is no further step in it.
    #[cold]
    fn finish(&mut self, context: &TurnContext<'_>) -> io::Result<Option<Turn>> {
        if self.stage == Stage::Delivering {
            return Ok(Some(if self.stream.is_delivered()? { Turn::Over } else { Turn::Wait }));
        }
        if !self.send_end(context)? {
            return Ok(None);
        }
        let next = match self.stage {
            Stage::Flushing => Stage::Lingering,
            Stage::Ending if self.receipt.bytes_sent > limits::SAFE_ECHO => Stage::Delivering,
            _ => return Ok(Some(Turn::Over)),
        };
        self.half_close()?;
        self.enter(next, context.now);
        Ok(None)
    }

    fn half_close(&mut self) -> io::Result<()> {
        match self.stream.half_close() {
            // The peer has reset the connection; the next read returns the better error.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                self.readiness.readable = true;
                Ok(())
            }
            closed => closed,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.last_activity = now;
    }

    /// Sets the reason for which the connection ends, unless it has one that stays.
    pub(crate) fn end_because(&mut self, reason: CloseReason) {
        if self.close_reason.is_none_or(|earlier| reason.replaces(earlier)) {
            self.close_reason = Some(reason);
        }
    }

    /// Returns whether the connection stays out of the log: its layer failed, and the log has a line about another.
    pub(super) fn is_suppressed(&self) -> bool {
        !self.is_logged && self.has_failed()
    }

    /// Returns whether the layer has failed.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.close_reason, Some(CloseReason::Handshake | CloseReason::LayerError))
    }

    /// Records an event of the worker that ends the connection.
    pub(crate) fn end_with(
        &mut self,
        reason: CloseReason,
        event: ConnectionEvent<'_>,
        telemetry: &Recorder<'_>,
    ) {
        if !self.stage.is_preamble() && !self.is_suppressed() {
            self.log_connected(telemetry);
        }
        self.is_logged = true;
        self.end_because(reason);
        telemetry.record(self.subject(), event);
    }

    /// Records that the end of the drain, or an immediate stop, cuts the connection.
    pub(crate) fn cut(&mut self, is_stopped: bool, telemetry: &Recorder<'_>) {
        let unsent = self.unsent();
        let (reason, event) = if is_stopped {
            (CloseReason::Shutdown, ConnectionEvent::Aborted { unsent })
        } else {
            (CloseReason::DrainTimeout, ConnectionEvent::DrainTimedOut { unsent })
        };
        self.end_with(reason, event, telemetry);
    }

    /// Returns the user of the connection, if a reload has removed the user and the connection must close.
    #[cfg(feature = "login")]
    fn removed_user(&self) -> Option<&str> {
        let account = self.permit.account().filter(|account| account.is_removed())?;
        self.permit.authenticator().closes_removed().then(|| account.name())
    }

    /// Closes the socket and records the end of the connection. Closing the socket also removes it from the poll.
    pub(crate) fn close(self, now: Instant, telemetry: &Recorder<'_>) {
        let unfinished = self.session.unfinished_messages();
        let messages_received =
            self.receipt.messages_received.saturating_add_signed(unfinished as i64);
        let unsent = self.send_buffer.as_ref().map_or(0, |buffer| buffer.messages() + unfinished);
        let is_suppressed = self.is_suppressed();
        let Self { stream, permit, id, peer, is_logged, close_reason, receipt, .. } = self;
        #[cfg(feature = "login")]
        let user = permit.account().map(|account| account.name().to_owned());
        #[cfg(not(feature = "login"))]
        let user: Option<String> = None;
        drop((stream, permit));
        let event = if is_logged {
            ConnectionEvent::Closed {
                reason: close_reason.unwrap_or(CloseReason::SocketError),
                receipt: &receipt,
                user: user.as_deref(),
                messages_received,
                messages_sent: messages_received.saturating_add_signed(-unsent as i64),
                after: now.saturating_duration_since(receipt.opened_at),
            }
        } else if is_suppressed {
            // The next line about a failure counts it.
            return;
        } else {
            ConnectionEvent::ProbeClosed
        };
        telemetry.record(Subject { id, peer: &peer }, event);
    }
}
