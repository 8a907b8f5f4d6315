//! The stage before the session: the connection waits for a PROXY header, which names its source.
//!
//! Bytes are held until the header is complete. Bytes after it belong to the session.

use std::io;

use super::{
    buffer::HeldBytes, connection::Connection, stage::Stage, stream::Stream, turn::TurnContext,
};
use crate::{
    admission::rejection_reply,
    config::limits,
    proxy_protocol::{self, Header, Source},
    telemetry::{CloseReason, ConnectionEvent, Recorder},
};

impl<S: Stream> Connection<S> {
    /// Handles a read outside of the session: `read` bytes, with which the buffer holds `len`. Returns the
    /// number of bytes for the session, which are then the first of the buffer. After the session all
    /// bytes are discarded.
    #[cold]
    pub(super) fn read_outside_session(
        &mut self,
        read: usize,
        len: usize,
        context: &mut TurnContext<'_>,
    ) -> io::Result<usize> {
        if self.stage == Stage::ProxyHeader {
            self.count_drained(read);
            return self.parse_proxy_header(len, context);
        }
        self.log_connected(context.telemetry);
        Ok(0)
    }

    /// Parses the first `len` bytes of the buffer. Returns the number of bytes after a complete header,
    /// which are then the first of the buffer.
    pub(super) fn parse_proxy_header(
        &mut self,
        len: usize,
        context: &mut TurnContext<'_>,
    ) -> io::Result<usize> {
        match proxy_protocol::parse(&context.buffer[..len], limits::PROXY_HEADER) {
            Ok(None) => {
                self.held = context.buffer[..len].into();
                Ok(0)
            }
            Ok(Some(Header { len: header, source })) => {
                self.held = HeldBytes::default();
                let next = Stage::after_proxy_header(self.layers.is_established());
                self.enter(next, context.now);
                if let Some(source) = source
                    && !self.admit_source(&source, context)?
                {
                    return Ok(0);
                }
                context.buffer.copy_within(header..len, 0);
                Ok(len - header)
            }
            Err(error) => {
                self.is_logged = true;
                let bytes = &context.buffer[..len];
                let event = ConnectionEvent::ProxyHeaderInvalid { error: &error, bytes };
                context.telemetry.record(self.subject(), event);
                self.end_because(CloseReason::ProxyHeader);
                self.held = HeldBytes::default();
                self.enter(Stage::Closing, context.now);
                Ok(0)
            }
        }
    }

    /// Makes `source` the peer of this connection. Returns false if the limit per source refuses it.
    fn admit_source(&mut self, source: &Source, context: &TurnContext<'_>) -> io::Result<bool> {
        let proxy = std::mem::replace(&mut self.peer, source.to_string().into());
        let counted = source.ip().map_or(Ok(()), |ip| self.permit.count_source(ip));
        if let Err(limit) = counted {
            self.is_logged = true;
            let event = ConnectionEvent::Refused { through: &proxy, limit };
            context.telemetry.record(self.subject(), event);
            self.end_because(CloseReason::Refused);
            // No linger after a refusal: the client would occupy a place that another client needs.
            self.enter(Stage::Closing, context.now);
            if self.layers.is_established() {
                let reply = rejection_reply(self.options(), limit);
                self.send_reply(reply.into(), context)?;
            }
            return Ok(false);
        }
        self.proxy = Some(Box::new(proxy));
        Ok(true)
    }

    /// Logs that the peer is gone, if that was in the middle of a PROXY header.
    pub(super) fn log_incomplete_header(&mut self, telemetry: &Recorder<'_>) {
        if self.stage == Stage::ProxyHeader && !self.held.is_empty() {
            self.is_logged = true;
            let event = ConnectionEvent::ProxyHeaderIncomplete { bytes: &self.held };
            telemetry.record(self.subject(), event);
            self.end_because(CloseReason::ProxyHeader);
        }
    }
}
