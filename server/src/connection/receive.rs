//! The path of a message: one read, one call of the session, one write from the same buffer.
//!
//! These functions are inlined into the worker's loop; [`Socket`](super::Socket) has the reason.

use std::io;

use common::message::Splitter;
#[cfg(feature = "login")]
use common::protocol::Protocol;

use super::{
    buffer::HeldBytes,
    connection::Connection,
    layers::Layers,
    stage::Stage,
    stream::Stream,
    turn::{Readiness, TurnContext},
};
use crate::{
    history::Origin,
    session::{Next, Reply, Session, Step},
    telemetry::{CloseReason, Subject},
};
#[cfg(feature = "login")]
use crate::{login::Account, session::AfterLogin, telemetry::ConnectionEvent};

/// Result of one read of the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum WireRead {
    Bytes(usize),
    EndOfStream,
    Nothing,
}

/// The echo of one step.
#[derive(Clone, Copy)]
pub(super) struct Echo<'a> {
    pub(super) bytes: &'a [u8],
    /// Number of messages that are complete with it.
    pub(super) messages: isize,
    /// State of the message splitter at its beginning.
    pub(super) splitter: Splitter,
}

impl<S: Stream> Connection<S> {
    /// Reads once and handles the bytes. Returns the number of messages that were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn read(&mut self, context: &mut TurnContext<'_>) -> io::Result<usize> {
        if let Layers::Stacked(_) = self.layers {
            return self.read_layered(context);
        }
        let held = self.held.len();
        if held > 0 {
            context.buffer[..held].copy_from_slice(&self.held);
        }
        match self.read_wire(&mut context.buffer[held..])? {
            WireRead::Bytes(read) => {
                let mut len = held + read;
                if self.stage == Stage::Serving {
                    self.count_drained(read);
                } else {
                    match self.read_outside_session(read, len, context)? {
                        0 => return Ok(0),
                        session_bytes => len = session_bytes,
                    }
                }
                if !self.is_logged {
                    self.log_first(&context.buffer[..len], context);
                }
                self.last_activity = context.now;
                self.receive(len, context)
            }
            WireRead::EndOfStream => {
                self.end_of_stream(Stage::Ending, CloseReason::Fin, context)?;
                Ok(0)
            }
            WireRead::Nothing => Ok(0),
        }
    }

    /// Reads bytes of the wire once, while the server drains no more than it has yet to serve.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn read_wire(&mut self, buffer: &mut [u8]) -> io::Result<WireRead> {
        let max = self.read_limit(buffer.len());
        match self.stream.read(&mut buffer[..max]) {
            Ok(0) => {
                self.readiness = Readiness::default();
                Ok(WireRead::EndOfStream)
            }
            Ok(read) => {
                // A short read empties the socket, unless the poll has reported more.
                self.readiness.readable = read == max || self.readiness.has_more;
                self.count_received(read);
                Ok(WireRead::Bytes(read))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.readable = false;
                // The kernel has discarded the bytes that were counted as received.
                self.drain.use_up();
                Ok(WireRead::Nothing)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(WireRead::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Returns the number of bytes to read, at most `max`: while the server drains, no more than it has yet to serve.
    #[inline]
    pub(super) fn read_limit(&self, max: usize) -> usize {
        match self.stage {
            Stage::Lingering => max,
            _ => self.drain.limit(max),
        }
    }

    /// Counts bytes that the socket has returned.
    #[inline]
    pub(super) fn count_received(&mut self, read: usize) {
        self.totals.bytes_received += read as u64;
        self.counters.bytes_received.add(read as u64);
    }

    /// Counts bytes that a draining server has read.
    pub(super) fn count_drained(&mut self, read: usize) {
        self.readiness.readable |= self.drain.count(read);
    }

    /// Passes the first `len` bytes of the buffer to the session and does what it returns. Returns the
    /// number of messages that were logged.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    fn receive(&mut self, len: usize, context: &mut TurnContext<'_>) -> io::Result<usize> {
        let step = self.session.receive(&mut context.buffer[..len], context.now);
        let (logged, echo) = self.record_received(&step, &context.buffer[..step.consumed], context);
        if let Some(reply) = step.reply {
            self.answer(echo, reply, context)?;
            return Ok(logged + self.receive_more(step.consumed, len, context)?);
        }
        self.hold(&context.buffer[step.consumed..len]);
        self.send(echo, context)?;
        Ok(logged)
    }

    /// Passes the bytes `at..len` of the buffer to the session, step by step, after another step or from a layer. A session
    /// that is paused afterwards has held bytes.
    #[cold]
    pub(super) fn receive_more(
        &mut self,
        mut at: usize,
        len: usize,
        context: &mut TurnContext<'_>,
    ) -> io::Result<usize> {
        let mut logged = 0;
        while self.stage.is_in_session() {
            if at == len && self.stage == Stage::Paused {
                self.stage = Stage::Serving;
            }
            if at == len || self.is_held_back() {
                self.hold(&context.buffer[at..len]);
                break;
            }
            let step = self.session.receive(&mut context.buffer[at..len], context.now);
            let consumed = at..at + step.consumed;
            at = consumed.end;
            let (messages, echo) = self.record_received(&step, &context.buffer[consumed], context);
            logged += messages;
            let Some(reply) = step.reply else {
                self.hold(&context.buffer[at..len]);
                if !echo.bytes.is_empty() {
                    self.send_indirectly(echo, context)?;
                }
                break;
            };
            self.answer(echo, reply, context)?;
        }
        Ok(logged)
    }

    /// Returns whether the session must not receive more before its next turn or its deadline, or before the peer has
    /// taken its replies. Replies of a handler may be longer than what they answer, so they would exceed the send buffer.
    pub(super) fn is_held_back(&mut self) -> bool {
        matches!(self.stage, Stage::Paused | Stage::Waiting)
            || self.send_buffer.is_some() && self.session.handler().is_some()
    }

    /// Passes the bytes that are held to a session that may have become another one.
    #[cold]
    pub(super) fn serve_held(&mut self, context: &mut TurnContext<'_>) -> io::Result<()> {
        let held = self.held.len();
        if self.stage != Stage::Serving || held == 0 {
            return Ok(());
        }
        context.buffer[..held].copy_from_slice(&self.held);
        self.receive_more(0, held, context)?;
        if let Layers::Stacked(_) = self.layers {
            // The end of the peer's direction may have arrived with what was held back.
            self.decode(context.buffer.len() / 2, 0, context)?;
        }
        Ok(())
    }

    /// Passes the bytes that were held back to the session, after the peer has taken its replies.
    #[cold]
    pub(super) fn resume(&mut self, context: &mut TurnContext<'_>) -> io::Result<()> {
        if self.session.handler().is_none() {
            return Ok(());
        }
        self.serve_held(context)?;
        self.settle_faults(context)
    }

    pub(super) fn no_echo(&self) -> Echo<'static> {
        Echo { bytes: &[], messages: 0, splitter: self.splitter }
    }

    /// Records the bytes that the session has consumed. Returns the number of messages that were logged, and the echo.
    #[expect(clippy::inline_always, reason = "see `Socket`")]
    #[inline(always)]
    pub(super) fn record_received<'a>(
        &mut self,
        step: &Step,
        consumed: &'a [u8],
        context: &TurnContext<'_>,
    ) -> (usize, Echo<'a>) {
        let messages = step.messages;
        let echo = Echo { bytes: &consumed[..step.echo], messages, splitter: self.splitter };
        #[cfg(test)]
        self.counters.consumed.add(consumed.len() as u64);
        let is_split = context.telemetry.splits_messages();
        let logged = if is_split { self.log_received(consumed, context) } else { 0 };
        self.totals.messages_received =
            self.totals.messages_received.wrapping_add_signed(messages as i64);
        self.counters.messages_received.add_messages(messages);
        (logged, echo)
    }

    /// Logs and records the messages in received bytes, and returns their number.
    #[inline(never)]
    fn log_received(&mut self, consumed: &[u8], context: &TurnContext<'_>) -> usize {
        let logged = self.session.handler().map_or(consumed.len(), |handler| handler.logged());
        let subject = Subject { id: self.id, peer: &self.peer, counters: &self.counters };
        #[cfg(feature = "login")]
        let user = self.permit.account().map(Account::name);
        #[cfg(not(feature = "login"))]
        let user = None;
        let recorded_as = self.session.recorded_as().filter(|_| context.telemetry.has_history());
        let listener = &self.permit.policy().name;
        let origin = recorded_as.map(|protocol| Origin {
            listener,
            protocol,
            peer: &self.peer,
            user,
            room: None,
        });
        let bytes = &consumed[..logged];
        context.telemetry.log_received(subject, origin.as_ref(), &mut self.splitter, bytes)
    }

    /// Holds bytes that the session has not consumed. Outside of an incomplete frame a connection owns no buffer.
    #[inline]
    fn hold(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() || !self.held.is_empty() {
            self.held = bytes.into();
        }
    }

    /// Sends the echo and the reply of a step, and ends or changes the session.
    #[cold]
    pub(super) fn answer(
        &mut self,
        echo: Echo<'_>,
        reply: Reply,
        context: &TurnContext<'_>,
    ) -> io::Result<()> {
        let Reply { bytes, next } = reply;
        if let Next::Close(_) = next {
            self.held = HeldBytes::default();
            self.enter(Stage::Flushing, context.now);
        }
        self.send_echo(echo, context)?;
        self.send_reply(bytes, context)?;
        match next {
            Next::Continue => {}
            Next::Pause => self.stage = Stage::Paused,
            Next::Wait => self.stage = Stage::Waiting,
            Next::Switch(handler) => {
                self.session = Session::Other(Box::new(handler));
                self.splitter = self.session.splitter();
                self.set_session_faults();
                #[cfg(feature = "rooms")]
                if self.is_member() {
                    self.begin_session(None, context.telemetry);
                }
            }
            #[cfg(feature = "login")]
            Next::LoggedIn { account, mechanism, then } => {
                self.log_in(account, mechanism, then, context);
            }
            #[cfg(feature = "login")]
            Next::LoginFailed { failure, keeps_input } => {
                self.stage = Stage::Waiting;
                if !keeps_input {
                    self.held = HeldBytes::default();
                }
                let event = ConnectionEvent::LoginFailed { failure: &failure };
                context.telemetry.record(self.subject(), event);
            }
            Next::Close(reason) => self.record_end(&reason, context),
        }
        Ok(())
    }

    /// Begins a session without a handler, or with one if the connection has or had faults.
    #[cfg(feature = "login")]
    fn begin_plain_session(&mut self, protocol: Protocol) {
        self.session = Session::new(protocol);
        if self.layers.wire().is_some() {
            self.session.handle();
        }
    }

    /// Records that the peer is a user, and begins the session of the user.
    #[cfg(feature = "login")]
    fn log_in(
        &mut self,
        account: Account,
        mechanism: &'static str,
        then: AfterLogin,
        context: &TurnContext<'_>,
    ) {
        let event = ConnectionEvent::LoggedIn { user: account.name(), mechanism };
        context.telemetry.record(self.subject(), event);
        let unsent = self.send_buffer.as_ref().map_or(0, |buffer| buffer.unsent() as u64);
        self.permit.set_account(account, self.totals.bytes_sent + unsent);
        self.record_fault_of_session(context.telemetry);
        match then {
            #[cfg(feature = "http")]
            AfterLogin::Continue => return,
            AfterLogin::Protocol(protocol) => self.begin_plain_session(protocol),
            AfterLogin::Handler(handler) => {
                self.session = Session::Other(Box::new(handler));
                self.begin_session(None, context.telemetry);
            }
        }
        self.splitter = self.session.splitter();
    }
}
