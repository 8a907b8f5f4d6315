//! The text of a connection's events. Bytes that a peer sent are quoted and escaped.

use std::fmt;

#[cfg(any(feature = "login", feature = "rooms"))]
use common::escape::Escaped;
use common::{escape::Quoted, protocol::MAX_FRAME_PAYLOAD, reason::reason};
use humantime::format_duration;

use super::connection_event::{ConnectionEvent, OfConnection};
#[cfg(feature = "login")]
use crate::login::LoginFailure;
use crate::{config::limits, layer::LayerError, proxy_protocol::Malformed};

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
            E::Closed(closed) => write!(f, "Connection with {peer} closed{closed}"),
            E::HandshakeCompleted { handshake } => {
                write!(f, "TLS handshake with {peer}: {handshake}")
            }
            #[cfg(feature = "login")]
            E::LoggedIn { .. } | E::LoginFailed { .. } | E::UserRemoved { .. } => {
                self.write_login(f)
            }
            E::UnexpectedTls | E::LayerFailed { .. } | E::HandshakeTimedOut { .. } => {
                self.write_layer(f)?;
                f.write_str(&self.suppressed.of("failures of TLS"))
            }
            #[cfg(feature = "rooms")]
            E::RoomJoined { .. }
            | E::RoomLeft { .. }
            | E::MessagesDropped { .. }
            | E::TooSlow { .. } => self.write_room(f),
            E::ExitRequested
            | E::FrameTooLong { .. }
            | E::ProtocolViolated { .. }
            | E::RequestRefused { .. }
            | E::ProtocolTimedOut { .. }
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
            E::ProtocolViolated { what } => write!(f, "Client {peer} broke the protocol: {what}"),
            E::RequestRefused { why } => write!(f, "Client {peer} was refused: {why}"),
            E::ProtocolTimedOut { what } => write!(f, "Client {peer} timed out: {what}"),
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

    /// Writes the text of an event of a member.
    #[cfg(feature = "rooms")]
    fn write_room(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionEvent as E;
        let peer = self.subject.peer;
        match self.event {
            E::RoomJoined { room, name } => {
                write!(f, "Client {peer} joined the room {room} as {}", Escaped(name.as_bytes()))
            }
            E::RoomLeft { room, name } => {
                write!(f, "Client {peer} left the room {room} as {}", Escaped(name.as_bytes()))
            }
            E::MessagesDropped { room, name, count } => write!(
                f,
                "Client {peer} reads too slowly: dropped {count} messages of the room {room} for {}",
                Escaped(name.as_bytes())
            ),
            E::TooSlow { waiting } => write!(
                f,
                "Client {peer} was disconnected: it reads too slowly, and {waiting} bytes wait for it"
            ),
            _ => Ok(()),
        }
    }

    /// Writes the text of a login.
    #[cfg(feature = "login")]
    fn write_login(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConnectionEvent as E;
        let peer = self.subject.peer;
        match self.event {
            E::LoggedIn { user, mechanism } => {
                write!(f, "Client {peer} logged in as {} by {mechanism}", QuotedName(user))
            }
            E::LoginFailed { failure: LoginFailure { mechanism, name, reason } } => {
                write!(f, "Client {peer} failed to log in")?;
                if let Some(name) = name {
                    write!(f, " as {}", QuotedName(name))?;
                }
                write!(f, " by {mechanism}: {}", Escaped(reason.as_bytes()))
            }
            E::UserRemoved { user } => write!(
                f,
                "Client {peer} was disconnected: the user {} was removed",
                QuotedName(user)
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

/// The name of a user in quotes. A quote in it is escaped, so that no name looks like the rest of a line.
#[cfg(feature = "login")]
struct QuotedName<'a>(&'a str);

#[cfg(feature = "login")]
impl fmt::Display for QuotedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = Escaped(self.0.as_bytes()).to_string();
        write!(f, "'{}'", escaped.replace('\'', "\\'"))
    }
}
