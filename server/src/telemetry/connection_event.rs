//! The events of a connection's life: level, text, JSON fields and metric of each. Its messages are in `recorder.rs`.
//!
//! Bytes that a peer sent are quoted and escaped. A fault of a peer is never an ERROR: that level is for faults of the
//! server.

use std::{fmt, io, time::Duration};

use common::{escape::Quoted, protocol::MAX_FRAME_PAYLOAD, reason::reason};
use humantime::format_duration;
use log::{
    Level::{Debug, Error, Info, Warn},
    kv::Value,
};

use super::{
    close_reason::CloseReason,
    connection_id::ConnectionId,
    event::{Declaration, Event},
    handshake_fields::visit_handshake,
    log_throttle::Suppressed,
    receipt::Receipt,
};
use crate::{
    admission::LimitReached,
    config::limits,
    layer::{Handshake, LayerError},
    proxy_protocol::Malformed,
};

/// An event of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionEvent<'a> {
    /// A new client, which may be connected through a proxy.
    Connected {
        through: Option<&'a str>,
        handshake: Option<&'a Handshake>,
    },
    /// The layer of a new client is established.
    HandshakeCompleted {
        handshake: &'a Handshake,
    },
    HandshakeTimedOut {
        after: Duration,
    },
    /// A client behind a proxy that a limit refuses.
    Refused {
        through: &'a str,
        limit: LimitReached,
    },
    /// The first bytes are not the required PROXY header.
    ProxyHeaderInvalid {
        error: &'a Malformed,
        bytes: &'a [u8],
    },
    /// The peer closed in the middle of a PROXY header.
    ProxyHeaderIncomplete {
        bytes: &'a [u8],
    },
    ProxyHeaderTimedOut {
        after: Duration,
        bytes: &'a [u8],
    },
    ExitRequested,
    FrameTooLong {
        payload: u32,
    },
    /// The peer ended its stream without an exit.
    Disconnected {
        reason: CloseReason,
    },
    /// A client of TLS on a listener without it.
    UnexpectedTls,
    /// The peer broke the rules of a layer, with these bytes.
    LayerFailed {
        error: &'a LayerError,
        bytes: &'a [u8],
    },
    /// The connection failed; bytes may be lost.
    Lost {
        error: &'a io::Error,
        unsent: usize,
    },
    WriteTimedOut {
        after: Duration,
        unsent: usize,
    },
    IdleTimedOut {
        after: Duration,
    },
    LingerTimedOut,
    /// The peer has not acknowledged everything that the system has accepted for it.
    DeliveryTimedOut,
    /// The server stops immediately.
    Aborted {
        unsent: usize,
    },
    DrainTimedOut {
        unsent: usize,
    },
    /// The poll refuses the socket.
    RegistrationFailed {
        error: &'a io::Error,
    },
    Panicked,
    /// The close of a connection that was never logged.
    ProbeClosed,
    Closed {
        reason: CloseReason,
        receipt: &'a Receipt,
        messages_received: u64,
        messages_sent: u64,
        after: Duration,
    },
}

/// A connection, as its events name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) peer: &'a str,
}

/// An event and the connection to which it happens.
pub(super) struct OfConnection<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) event: ConnectionEvent<'a>,
    /// Number of similar events that were not logged.
    pub(super) suppressed: Suppressed,
}

impl Event for OfConnection<'_> {
    fn declaration(&self) -> Declaration {
        use ConnectionEvent as E;
        match self.event {
            E::Connected { .. } => Declaration::new(Info, "connected"),
            E::Refused { .. } => Declaration::new(Warn, "refused").counted(|all| &all.refused),
            E::ProxyHeaderInvalid { .. }
            | E::ProxyHeaderIncomplete { .. }
            | E::ProxyHeaderTimedOut { .. } => {
                Declaration::new(Warn, "proxy-header").counted(|all| &all.refused)
            }
            E::ExitRequested => Declaration::new(Info, "exit"),
            E::FrameTooLong { .. } => Declaration::new(Warn, "frame-too-long"),
            E::Disconnected { .. } | E::Lost { .. } => Declaration::new(Info, "disconnected"),
            E::HandshakeCompleted { .. } => Declaration::new(Info, "handshake"),
            E::UnexpectedTls => Declaration::new(Warn, "unexpected-tls"),
            E::LayerFailed { error: LayerError::Corrupt(_), .. } => {
                Declaration::new(Warn, "tls-error")
            }
            E::LayerFailed { .. } | E::HandshakeTimedOut { .. } => {
                Declaration::new(Warn, "handshake-failed").counted(|all| &all.refused)
            }
            E::WriteTimedOut { .. } => Declaration::new(Warn, "write-timeout"),
            E::IdleTimedOut { .. } => Declaration::new(Info, "idle-timeout"),
            E::LingerTimedOut => Declaration::new(Info, "linger-timeout"),
            E::DeliveryTimedOut => Declaration::new(Info, "unacknowledged"),
            E::Aborted { .. } => Declaration::new(Warn, "shutdown"),
            E::DrainTimedOut { .. } => Declaration::new(Warn, "drain-timeout"),
            E::RegistrationFailed { .. } => Declaration::new(Error, "not-registered"),
            E::Panicked => Declaration::new(Error, "panic").counted(|all| &all.panics),
            E::ProbeClosed => Declaration::new(Debug, "probe").counted(|all| &all.probes),
            E::Closed { .. } => Declaration::new(Info, "closed"),
        }
    }

    fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>)) {
        use ConnectionEvent as E;
        visit("peer", Value::from(self.subject.peer));
        visit("connection", Value::from_display(&self.subject.id));
        if let Some(fault) = self.fault() {
            visit("fault", Value::from(fault));
        }
        match &self.event {
            E::Connected { through, handshake } => {
                if let Some(through) = through {
                    visit("through", Value::from(*through));
                }
                if let Some(handshake) = handshake {
                    visit_handshake(handshake, visit);
                }
            }
            E::HandshakeCompleted { handshake } => visit_handshake(handshake, visit),
            E::Refused { through, .. } => visit("through", Value::from(*through)),
            E::FrameTooLong { payload } => visit("bytes", Value::from(*payload)),
            E::Disconnected { reason } => visit("reason", Value::from(reason.name())),
            E::Lost { error, unsent } => {
                visit("reason", Value::from(CloseReason::of(error).name()));
                visit("unsent", Value::from(*unsent));
            }
            E::WriteTimedOut { unsent, .. }
            | E::Aborted { unsent }
            | E::DrainTimedOut { unsent } => {
                visit("unsent", Value::from(*unsent));
            }
            E::Closed { reason, receipt, messages_received, messages_sent, after } => {
                visit("reason", Value::from(reason.name()));
                visit("closed_by", Value::from(reason.closed_by()));
                visit(
                    "duration_ms",
                    Value::from(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
                );
                visit("bytes_received", Value::from(receipt.bytes_received));
                visit("bytes_sent", Value::from(receipt.bytes_sent));
                visit("messages_received", Value::from(*messages_received));
                visit("messages_sent", Value::from(*messages_sent));
            }
            _ => {}
        }
    }
}

impl fmt::Display for OfConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionEvent as E;
        let peer = self.subject.peer;
        match self.event {
            E::Connected { through: None, .. } => write!(f, "New client connected: {peer}"),
            E::Connected { through: Some(through), .. } => {
                write!(f, "New client connected: {peer} (through {through})")
            }
            E::Refused { limit, .. } => write!(f, "Refused {peer}: at the limit of {limit}"),
            E::ProxyHeaderInvalid { .. }
            | E::ProxyHeaderIncomplete { .. }
            | E::ProxyHeaderTimedOut { .. } => self.write_proxy_header(f),
            E::RegistrationFailed { error } => write!(f, "Cannot serve {peer}: {}", reason(error)),
            E::Panicked => {
                write!(f, "A bug ended the connection with {peer}; other connections continue")
            }
            E::ProbeClosed => write!(f, "{peer} disconnected without sending data"),
            E::Closed { .. } => write!(f, "Connection with {peer} closed"),
            E::HandshakeCompleted { handshake } => {
                write!(f, "TLS handshake with {peer}: {handshake}")
            }
            E::UnexpectedTls | E::LayerFailed { .. } | E::HandshakeTimedOut { .. } => {
                self.write_layer(f)?;
                f.write_str(&self.suppressed.of("failures of TLS"))
            }
            E::ExitRequested
            | E::FrameTooLong { .. }
            | E::Disconnected { .. }
            | E::Lost { .. }
            | E::WriteTimedOut { .. }
            | E::IdleTimedOut { .. }
            | E::LingerTimedOut
            | E::DeliveryTimedOut
            | E::Aborted { .. }
            | E::DrainTimedOut { .. } => self.write_end(f),
        }
    }
}

impl OfConnection<'_> {
    /// Returns the fault of a connection that did not reach its session.
    fn fault(&self) -> Option<&'static str> {
        use ConnectionEvent as E;
        match self.event {
            E::ProxyHeaderInvalid { error: Malformed::Missing, .. }
            | E::LayerFailed { error: LayerError::Missing, .. } => Some("missing"),
            E::ProxyHeaderInvalid { .. }
            | E::LayerFailed { error: LayerError::Handshake(_), .. } => Some("invalid"),
            E::ProxyHeaderIncomplete { .. } => Some("incomplete"),
            E::ProxyHeaderTimedOut { .. } | E::HandshakeTimedOut { .. } => Some("timeout"),
            _ => None,
        }
    }

    /// Writes the text of an event that ends a connection.
    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionEvent as E;
        let peer = self.subject.peer;
        match self.event {
            E::ExitRequested => write!(f, "Client {peer} requested to exit"),
            E::FrameTooLong { payload } => write!(
                f,
                "Client {peer} announced a frame of {payload} bytes, over the limit of {MAX_FRAME_PAYLOAD}"
            ),
            E::Disconnected { .. } => write!(f, "Client {peer} disconnected unexpectedly"),
            E::Lost { error, unsent } => write!(
                f,
                "Client {peer} disconnected unexpectedly: {}{}",
                reason(error),
                Unsent(unsent)
            ),
            E::WriteTimedOut { after, unsent } => write!(
                f,
                "Client {peer} timed out: nothing could be written for {}{}",
                format_duration(after),
                Unsent(unsent)
            ),
            E::IdleTimedOut { after } => {
                write!(f, "Client {peer} timed out: idle for {}", format_duration(after))
            }
            E::LingerTimedOut => write!(
                f,
                "Client {peer} keeps sending after the end of its session; closing the connection"
            ),
            E::DeliveryTimedOut => write!(
                f,
                "Client {peer} has not acknowledged all of its echo {} after the end; the system sends the rest",
                format_duration(limits::DELIVERY)
            ),
            E::Aborted { unsent } => write!(
                f,
                "Client {peer} was disconnected: the server stops immediately{}",
                Unsent(unsent)
            ),
            E::DrainTimedOut { unsent } => write!(
                f,
                "Client {peer} did not disconnect within the drain timeout{}",
                Unsent(unsent)
            ),
            _ => Ok(()),
        }
    }

    /// Writes the text of a failure of the layer.
    fn write_layer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionEvent as E;
        let peer = self.subject.peer;
        match self.event {
            E::UnexpectedTls => write!(
                f,
                "Client {peer} sent a TLS handshake, and this listener has no TLS: the bytes are echoed; let the \
                 client connect without TLS, or add a listener tls://HOST:PORT"
            ),
            E::LayerFailed { error: LayerError::Missing, bytes } => write!(
                f,
                "Client {peer} sent no TLS handshake, which this listener requires{}; let the client use TLS, or add \
                 a listener tcp://HOST:PORT",
                ReceivedBytes(bytes)
            ),
            E::LayerFailed { error: LayerError::Handshake(reason), .. } => {
                write!(f, "The TLS handshake with {peer} failed: {reason}")
            }
            E::LayerFailed { error: LayerError::Corrupt(reason), .. } => {
                write!(f, "TLS with {peer} failed: {reason}")
            }
            E::HandshakeTimedOut { after } => write!(
                f,
                "The TLS handshake with {peer} failed: it was not complete after {}",
                format_duration(after)
            ),
            _ => Ok(()),
        }
    }

    /// Writes the text of an event before the PROXY header was complete.
    fn write_proxy_header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionEvent as E;
        let (fault, bytes) = match self.event {
            E::ProxyHeaderInvalid { error: Malformed::Missing, bytes } => {
                ("sent no PROXY header, which this listener requires".to_owned(), bytes)
            }
            E::ProxyHeaderInvalid { error, bytes } => {
                (format!("sent an invalid PROXY header: {error}"), bytes)
            }
            E::ProxyHeaderIncomplete { bytes } => {
                ("disconnected before its PROXY header was complete".to_owned(), bytes)
            }
            E::ProxyHeaderTimedOut { after, bytes } => {
                let after = format_duration(after);
                let fault = format!(
                    "sent no complete PROXY header within {after}, which this listener requires"
                );
                (fault, bytes)
            }
            _ => return Ok(()),
        };
        write!(f, "Client {} {fault}{}", self.subject.peer, ReceivedBytes(bytes))
    }
}

/// `; the received bytes begin with 'GET / HTTP/1.1'`, or nothing.
struct ReceivedBytes<'a>(&'a [u8]);

impl fmt::Display for ReceivedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..self.0.len().min(limits::PROXY_SHOWN)] {
            [] => Ok(()),
            bytes => write!(f, "; the received bytes begin with {}", Quoted(bytes)),
        }
    }
}

/// `; 12 bytes of its echo were not sent`, or nothing: the bytes that the socket has not taken. The number of
/// other bytes that the peer has not received is unknown.
struct Unsent(usize);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str("; 1 byte of its echo was not sent"),
            more => write!(f, "; {more} bytes of its echo were not sent"),
        }
    }
}
