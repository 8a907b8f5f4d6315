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
use std::{io, sync::Arc, time::Instant};

use common::message::Splitter;

use super::{
    buffer::{HeldBytes, SendBuffer},
    drain_budget::DrainBudget,
    layers::Layers,
    stage::Stage,
    stream::Stream,
    turn::{Readiness, Turn, TurnContext},
};
use crate::{
    admission::{Peer, Permit},
    config::{ListenerOptions, limits},
    faults::Wire,
    metrics::WorkerListener,
    session::{EndCause, Next, Reason, Reply, Session},
    telemetry::{CloseReason, ConnectionId, ConnectionTotals, Subject},
};
#[cfg(feature = "login")]
use crate::{session::ProtocolHandler, telemetry::ConnectionEvent};

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
    pub(super) totals: ConnectionTotals,
    /// The counters of its listener in its worker.
    pub(super) counters: WorkerListener,
}

impl<S: Stream> Connection<S> {
    /// Creates a connection that was accepted at `accepted_at`, for the worker with these counters of its listener.
    pub(crate) fn new(
        stream: S,
        peer: &Peer,
        permit: Permit,
        counters: WorkerListener,
        accepted_at: Instant,
        now: Instant,
    ) -> Self {
        let policy = permit.policy();
        let layers = Layers::new(policy.new_layer());
        let session = Self::new_session(
            &permit,
            #[cfg(feature = "rooms")]
            None,
        );
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
            totals: ConnectionTotals::new(accepted_at),
            counters,
        }
    }

    /// Sets the identity, which the first worker of the connection chooses.
    pub(crate) fn set_id(&mut self, id: ConnectionId) {
        self.id = id;
    }

    /// Counts from now on for another worker.
    pub(crate) fn count_for(&mut self, worker: usize) {
        self.counters = Arc::clone(self.permit.policy().counters.worker(worker));
    }

    /// Returns its identity.
    #[cfg(feature = "rooms")]
    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// Returns the connection as its events name it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { id: self.id, peer: &self.peer, counters: &self.counters }
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
        let received = self.stream.received().unwrap_or(1);
        let held = self.layers.wire().map_or(0, Wire::held);
        self.drain = DrainBudget::new(received + held as u64);
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
        if self.has_due_faults(context.now) {
            self.readiness.readable = true;
            let settled = self.settle_faults(context);
            return settled.map_or_else(|error| self.lose(&error, context), |()| Turn::Again);
        }
        let is_idle = self.is_idle(context.now);
        if is_idle && let Err(error) = self.serve_rest(context) {
            return self.lose(&error, context);
        }
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
        self.continue_with(reply, was_waiting, context)
    }

    /// Sends a reply that is no answer to bytes of the peer, and gives the session what was held while it waited.
    #[cold]
    pub(super) fn continue_with(
        &mut self,
        reply: Reply,
        was_waiting: bool,
        context: &mut TurnContext<'_>,
    ) -> Turn {
        let answered = self.answer(self.no_echo(), reply, context);
        if self.send_buffer.is_some() {
            // The peer has taken nothing since now, not since its last message.
            self.last_activity = context.now;
        }
        let answered = match answered {
            Ok(()) if was_waiting => self.serve_held(context),
            answered => answered,
        };
        let answered = answered.and_then(|()| self.settle_faults(context));
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
        if let Err(error) = self.serve_rest(context) {
            return self.lose(&error, context);
        }
        let end =
            |handler: &mut dyn ProtocolHandler| handler.end(EndCause::UserRemoved, context.now);
        let bytes = self.session.handler().map_or(Cow::Borrowed(&b""[..]), end);
        let reply = Reply { bytes, next: Next::Close(Reason::UserRemoved) };
        let answered = self.answer(self.no_echo(), reply, context);
        answered.map_or_else(|error| self.lose(&error, context), |()| Turn::Again)
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

    pub(super) fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.last_activity = now;
    }
}
