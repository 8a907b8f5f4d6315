//! A step: the decision of a session about the bytes that it received; and the trait of the protocols that decide.

use std::{borrow::Cow, fmt, time::Instant};

use common::message::Splitter;
#[cfg(feature = "login")]
use common::protocol::Protocol;

use super::attributes::Attributes;
use crate::faults::{EchoPlace, FaultPlan, Format, InjectedFault};
#[cfg(feature = "login")]
use crate::login::{Account, LoginFailure};
#[cfg(feature = "rooms")]
use crate::rooms::{Member, Notice};

/// A protocol that lives outside of this folder, or follows another one in the same connection.
///
/// It reads no clock: the connection passes the time.
pub(crate) trait ProtocolHandler: fmt::Debug + Send {
    /// Receives the attributes of its connection, once, before the first bytes.
    fn begin(&mut self, _attributes: &Attributes<'_>, _now: Instant) {}

    /// Receives the faults of its connection, when it begins and when they change. `None`: it has no faults.
    fn set_faults(&mut self, _faults: Option<&FaultPlan>) {}

    /// Returns a fault that the handler has injected, once.
    fn take_injected_fault(&mut self) -> Option<InjectedFault> {
        None
    }

    /// Receives the bytes that the last step did not consume, and new ones. The handler may change them.
    fn receive(&mut self, input: &mut [u8], now: Instant) -> Step;

    /// Receives the bytes of a message that will never be complete, because the session is about to end. `None`: they are
    /// discarded.
    fn receive_rest(&mut self, _rest: &[u8]) -> Option<Step> {
        None
    }

    /// Returns the splitter of its messages, for the log.
    fn splitter(&self) -> Splitter;

    /// Returns the number of bytes, from the first of the last step, that the log shows as received: the messages without
    /// what surrounds them.
    fn logged(&self) -> usize;

    /// Returns the protocol under which the history records these messages. `None`: it does not, or the handler does.
    fn recorded_as(&self) -> Option<&'static str>;

    /// Returns whether it is a WebSocket.
    fn is_websocket(&self) -> bool {
        false
    }

    /// Returns what separates the messages of its echo, and the place in it behind the last step. `None`: the echo is that of
    /// the protocol under which they are recorded, if there is one.
    fn echo(&self) -> Option<(Format, EchoPlace)> {
        None
    }

    /// Returns the number of messages of which only a part was received.
    fn unfinished_messages(&self) -> isize;

    /// Returns whether the peer may end its stream here, as HTTP allows it between requests.
    fn may_end(&self) -> bool {
        false
    }

    /// Returns the time from which [`expire`](Self::expire) is to be called, unless it moves before.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Handles the deadline. It must move or be removed, unless the reply closes the connection.
    fn expire(&mut self, _now: Instant) -> Reply {
        Reply { bytes: Cow::Borrowed(b""), next: Next::Continue }
    }

    /// The connection ends, by its peer or by the idle timeout. Returns the last bytes for the peer.
    fn end(&mut self, _cause: EndCause, _now: Instant) -> Cow<'static, [u8]> {
        Cow::Borrowed(b"")
    }

    /// The peer has ended its stream behind these bytes of an incomplete message. Returns whether the session goes on until a
    /// notice ends it.
    fn depart(&mut self, _held: &[u8]) -> bool {
        false
    }

    /// Returns the member of rooms that the session is.
    #[cfg(feature = "rooms")]
    fn member(&mut self) -> Option<&mut Member> {
        None
    }

    /// Receives an answer of a room.
    #[cfg(feature = "rooms")]
    fn receive_notice(&mut self, _notice: Notice, _now: Instant) -> Reply {
        Reply { bytes: Cow::Borrowed(b""), next: Next::Continue }
    }

    /// The server drains, and all bytes that were received before are served. `None`: the handler is in the middle of a
    /// message, and closes by itself after it.
    fn drain(&mut self, now: Instant) -> Option<Reply>;
}

/// Decision of a session about its input.
///
/// One range is enough, because a session may change its input: one that removes headers or masks moves the bytes of
/// its echo to the front, in the same pass.
#[derive(Debug)]
pub(crate) struct Step {
    /// Number of bytes, from the first, that are consumed. The session receives the others again: immediately after a
    /// step that replies, otherwise before the next bytes.
    pub(crate) consumed: usize,
    /// Number of bytes, from the first, to echo. At most `consumed`; an exit, for example, is not echoed.
    pub(crate) echo: usize,
    /// Number of messages that are complete with the consumed bytes: lines, reads or frames. Negative if earlier reads
    /// were not messages, but pieces of a line.
    pub(crate) messages: isize,
    /// Reply after the echo. `None`: the session waits for bytes that it has not received.
    pub(crate) reply: Option<Reply>,
}

/// Reply after the echo of a step, which may be empty, and the continuation of the connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) bytes: Cow<'static, [u8]>,
    pub(crate) next: Next,
}

/// Continuation of a connection.
#[cfg_attr(
    not(all(feature = "http", feature = "login", feature = "rooms")),
    allow(dead_code, reason = "HTTP, the login and rooms use different parts")
)]
#[derive(Debug)]
pub(crate) enum Next {
    /// The session receives the bytes that are not consumed, and all later ones.
    Continue,
    /// The session has used its share of the turn: it receives them in a later turn of the connection.
    Pause,
    /// The session receives them after its deadline or a notice: it waits for something that is not the peer.
    Wait,
    /// Another protocol receives them.
    Switch(Box<dyn ProtocolHandler>),
    /// The peer is a user.
    #[cfg(feature = "login")]
    LoggedIn { account: Account, mechanism: &'static str, then: AfterLogin },
    /// A login has failed, which is recorded; then as [`Wait`](Self::Wait).
    #[cfg(feature = "login")]
    LoginFailed {
        failure: Box<LoginFailure>,
        /// The bytes that are not consumed stay. Otherwise they are discarded, because the session will close.
        keeps_input: bool,
    },
    /// The session is over and receives nothing more.
    Close(Reason),
}

/// The session after a login.
#[cfg(feature = "login")]
#[derive(Debug)]
pub(crate) enum AfterLogin {
    /// This one continues.
    #[cfg(feature = "http")]
    Continue,
    Protocol(Protocol),
    Handler(Box<dyn ProtocolHandler>),
}

/// Reason for the end of a session by its protocol.
#[cfg_attr(
    not(all(feature = "http", feature = "login", feature = "rooms")),
    allow(dead_code, reason = "HTTP, the login and rooms use different parts")
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The peer sent `exit`.
    Exit,
    /// The peer announced a frame with a payload of this many bytes, which is over the limit.
    FrameTooLong(u32),
    /// The protocol has ended in good order, by the peer.
    Complete,
    /// The server drains.
    Drain,
    /// The session has injected a fault that ends it.
    Fault,
    /// The peer reads too slowly: so many bytes of messages wait for it.
    #[cfg(feature = "rooms")]
    TooSlow(usize),
    /// The peer was silent for too long.
    Timeout(&'static str),
    /// The peer was silent for the idle timeout of its listener.
    IdleTimeout,
    /// The server does not serve what the peer asks for: why, and what to do.
    Refused(Box<str>),
    /// The peer has not logged in. Each failed login is recorded by itself.
    #[cfg(feature = "login")]
    NotLoggedIn,
    /// A reload has removed the user.
    #[cfg(feature = "login")]
    UserRemoved,
    /// The peer broke the rules of the protocol.
    Violation(&'static str),
}

/// Cause of the end of a connection whose session is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// The peer has ended its stream.
    EndOfStream,
    IdleTimeout,
    /// A reload has removed the user.
    #[cfg(feature = "login")]
    UserRemoved,
}

impl Step {
    /// Echoes and consumes this many bytes, with which this many messages are complete.
    pub(crate) fn echo(bytes: usize, messages: isize) -> Self {
        Self { consumed: bytes, echo: bytes, messages, reply: None }
    }
}
