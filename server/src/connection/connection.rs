//! One connection: its socket, its unsent bytes, and its stage.
//!
//! The echo is sent from the buffer into which it was received. Only the bytes that the socket does not take
//! are copied, into the *send buffer*, and while it holds bytes nothing more is read: a peer that does not
//! read costs one read buffer at most, and an idle peer costs none.
//!
//! A connection knows neither polls nor other connections. The worker reports readiness once; the
//! connection must then continue until its socket has nothing more to give or take. It ends its turn with
//! [`Turn::Again`] when its budget is used up.

use std::{io, time::Instant};

use common::message::Splitter;

use super::{
    send_buffer::SendBuffer,
    stage::Stage,
    stream::Stream,
    turn::{Readiness, Turn, TurnContext},
};
use crate::{
    admission::{Peer, Permit},
    config::{ListenerOptions, Proxy, limits},
    session::Session,
    telemetry::ConnectionEvents,
};

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(super) stream: S,
    /// The peer's name in the log: the other end of the socket, until a PROXY header names another.
    pub(super) peer: Box<str>,
    /// The name of the proxy in front of the peer, until the connection is logged.
    pub(super) proxy: Option<Box<str>>,
    pub(super) permit: Permit,
    pub(super) session: Session,
    pub(super) splitter: Splitter,
    /// Received bytes of an incomplete frame or PROXY header, which are parsed again with the next read.
    pub(super) held: Vec<u8>,
    /// Bytes that the socket has not taken yet. `Some` is never empty.
    pub(super) send_buffer: Option<Box<SendBuffer>>,
    pub(super) stage: Stage,
    pub(super) readiness: Readiness,
    /// The server drains: this many received bytes are still to be served.
    pub(super) draining: Option<u64>,
    /// The connection has been logged: its peer has sent something (after the PROXY header, if there is
    /// one), or has been connected for a while. A health check connects and closes every second, and is
    /// not logged.
    pub(super) is_logged: bool,
    /// The time at which bytes last moved or the stage changed; timeouts count from it.
    pub(super) last_activity: Instant,
}

impl<S: Stream> Connection<S> {
    pub(crate) fn new(stream: S, peer: &Peer, permit: Permit, now: Instant) -> Self {
        let options = &permit.policy().options;
        let protocol = options.protocol;
        Self {
            stream,
            peer: peer.to_string().into(),
            proxy: None,
            session: Session::new(protocol),
            splitter: Splitter::new(protocol),
            stage: match options.proxy {
                Proxy::Off => Stage::Serving,
                Proxy::Required => Stage::ProxyHeader,
            },
            permit,
            held: Vec::new(),
            send_buffer: None,
            readiness: Readiness::default(),
            draining: None,
            is_logged: false,
            last_activity: now,
        }
    }

    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    pub(super) fn options(&self) -> &ListenerOptions {
        &self.permit.policy().options
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.is_logged
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns whether the connection waits until its socket is writable.
    pub(crate) fn wants_write(&self) -> bool {
        self.send_buffer.is_some()
    }

    /// Returns the number of bytes that the peer has yet to receive.
    pub(crate) fn unsent(&self) -> usize {
        let held = if self.stage == Stage::ProxyHeader { 0 } else { self.held.len() };
        held + self.send_buffer.as_ref().map_or(0, |send_buffer| send_buffer.unsent())
    }

    /// Records readiness that the poll reported; a turn must follow.
    pub(crate) fn set_ready(&mut self, readiness: Readiness) {
        self.readiness.readable |= readiness.readable;
        self.readiness.has_more |= readiness.has_more;
    }

    /// Begins the drain; a turn must follow. Only the bytes received so far are served: a peer that never
    /// pauses would otherwise keep the server running.
    pub(crate) fn drain(&mut self) {
        // If the socket cannot tell, it has an error that the next read returns.
        self.draining = Some(self.stream.received().unwrap_or(1));
        // The poll may not have reported yet what the socket holds.
        self.readiness.readable = true;
    }

    /// Makes progress as far as the socket and the turn's budget allow.
    pub(crate) fn turn(&mut self, context: &mut TurnContext<'_>) -> Turn {
        self.drive(context).unwrap_or_else(|error| {
            if self.is_logged {
                context.telemetry.connection_lost(&self.peer, &error, self.unsent());
            }
            self.log_incomplete_header(context.telemetry);
            Turn::Over
        })
    }

    fn drive(&mut self, context: &mut TurnContext<'_>) -> io::Result<Turn> {
        let mut reads_left = limits::TURN_READS;
        self.flush(context)?;
        while self.send_buffer.is_none() {
            match self.stage {
                Stage::ProxyHeader if self.draining == Some(0) => {
                    self.held = Vec::new();
                    self.enter(Stage::Flushing, context.now);
                }
                Stage::Serving if self.draining == Some(0) => {
                    self.enter(Stage::Flushing, context.now);
                    self.echo_held(context)?;
                }
                Stage::ProxyHeader | Stage::Serving | Stage::Lingering
                    if self.readiness.readable =>
                {
                    if reads_left == 0 {
                        return Ok(Turn::Again);
                    }
                    let messages = self.read(context)?;
                    reads_left = reads_left.saturating_sub(1 + messages / limits::TURN_MESSAGES);
                }
                Stage::ProxyHeader | Stage::Serving | Stage::Lingering => return Ok(Turn::Wait),
                Stage::Flushing => {
                    self.half_close()?;
                    self.enter(Stage::Lingering, context.now);
                }
                Stage::Closing => return Ok(Turn::Over),
            }
        }
        Ok(Turn::Wait)
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

    pub(super) fn log_connected(&mut self, telemetry: &ConnectionEvents<'_>) {
        if !std::mem::replace(&mut self.is_logged, true) {
            telemetry.connected(&self.peer, self.proxy.take().as_deref());
        }
    }
}
