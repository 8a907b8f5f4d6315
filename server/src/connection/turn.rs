//! A turn: the time that a worker gives to one connection or UDP socket in one iteration of its loop.

use std::time::{Instant, SystemTime};

use crate::telemetry::Recorder;

/// Resources that the worker lends for one turn.
pub(crate) struct TurnContext<'a> {
    /// The worker's read buffer. Its content is meaningless between turns.
    pub(crate) buffer: &'a mut [u8],
    pub(crate) telemetry: &'a Recorder<'a>,
    pub(crate) now: Instant,
}

/// The end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing more can be done before the socket is ready again.
    Wait,
    /// The budget of the turn is used up and there is more to do.
    Again,
    /// The connection is over; its socket is to be dropped.
    Over,
}

/// Readiness of a socket. The poll reports it once, so the connection remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A read returns bytes, the end of the stream, or an error.
    pub(crate) readable: bool,
    /// A short read does not prove that the socket is empty: the end of the stream, an error, or a mark of
    /// urgent data, at which every read stops (`tcp(7)`), may follow the bytes.
    pub(crate) has_more: bool,
}

/// Returns the time for the responses of a connection, once a connection. In unit tests it is always the same, so that a
/// schedule of the simulation has the same bytes when it is replayed.
#[expect(clippy::disallowed_methods, reason = "the date of a response is that of the wall clock")]
pub(crate) fn wall_clock() -> SystemTime {
    if cfg!(test) { SystemTime::UNIX_EPOCH } else { SystemTime::now() }
}
