//! The deadlines of a session of HTTP, by a clock of their own.
//!
//! They count from what the session has received, which follows from the bytes that the connection has consumed. While the
//! peer takes nothing, none counts.

use std::time::{Duration, Instant};

use super::{
    check::{TurnStart, send_buffer},
    model::State,
    pair::Pair,
};
use crate::{
    config::limits,
    connection::{Turn, stage::Stage},
};

/// The session of a pair as its deadlines see it.
pub(super) struct SessionClock {
    /// Number of bytes that the session had consumed, and held, after the last turn.
    seen: (u64, usize),
    /// The time at which it last received something, or was last pinged.
    served_at: Instant,
    /// The bytes that the connection holds.
    held: Option<Held>,
    /// The time at which the server has sent its close frame.
    closing_since: Option<Instant>,
    /// The script has the frames of a WebSocket.
    may_close: bool,
    awaits_pong: bool,
    /// Number of pings that the peer must receive.
    pub(super) pings: usize,
    /// Number of bytes that the session had received when a deadline ended it.
    pub(super) expired: Option<usize>,
    /// That deadline was the idle timeout.
    pub(super) is_idle: bool,
}

/// Bytes that a connection holds: the session has received them, or will when the peer takes its replies.
struct Held {
    /// Number of bytes that are consumed before them.
    position: u64,
    since: Instant,
    /// The session has certainly received them by this time.
    received_at: Option<Instant>,
}

/// Whether a deadline of a session has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    No,
    Perhaps,
    Yes,
}

impl SessionClock {
    pub(super) fn new(now: Instant, may_close: bool) -> Self {
        Self {
            seen: (0, 0),
            served_at: now,
            held: None,
            closing_since: None,
            may_close,
            awaits_pong: false,
            pings: 0,
            expired: None,
            is_idle: false,
        }
    }
}

impl Pair {
    /// Records what the session has received in a turn.
    pub(super) fn observe_session(&mut self, start: &TurnStart, now: Instant) {
        if self.application.http().is_none() {
            return;
        }
        let Some(connection) = &self.connection else { return };
        let consumed = connection.counters.consumed.get();
        let (held, unsent) = (connection.held.len(), send_buffer(connection));
        let is_serving = connection.stage == Stage::Serving;
        if connection.stage.is_preamble() || !is_serving {
            return;
        }
        let is_changed = (consumed, held) != self.session.seen;
        let is_resumed = start.unsent > 0 && start.held > 0 && unsent == 0;
        self.session.seen = (consumed, held);
        if self.session.closing_since.is_none() {
            if start.is_preamble || is_changed || is_resumed {
                self.session.served_at = now;
                self.session.awaits_pong = false;
            }
            if self.session.may_close
                && (is_changed || self.drained_at.is_some())
                && matches!(self.session_state(), State::Closing(_))
            {
                self.session.closing_since = Some(now);
            }
        }
        self.observe_held(consumed, held > 0, unsent == 0, now);
    }

    fn observe_held(&mut self, position: u64, is_held: bool, is_received: bool, now: Instant) {
        let earlier = self.session.held.take().filter(|earlier| earlier.position == position);
        let new = Held { position, since: now, received_at: None };
        let mut held = earlier.unwrap_or(new);
        if is_received {
            held.received_at.get_or_insert(now);
        }
        self.session.held = is_held.then_some(held);
    }

    /// Returns the number of bytes that the session has received.
    pub(super) fn session_received(&self) -> usize {
        let held = self.connection.as_ref().map_or(0, |connection| connection.held.len());
        usize::try_from(self.listener.consumed.get()).expect("scripts are short") + held
    }

    /// Returns the state of a session of HTTP after the bytes that it has received.
    fn session_state(&self) -> State {
        self.expected(self.session_received()).state
    }

    /// Returns whether a deadline of the session has passed.
    pub(super) fn session_due(&self, now: Instant) -> Due {
        let (Some(connection), Some(http)) = (&self.connection, self.application.http()) else {
            return Due::No;
        };
        if connection.stage != Stage::Serving || send_buffer(connection) > 0 {
            return Due::No;
        }
        let session = &self.session;
        let moved_at = self.moved_at.max(session.served_at);
        let at_once = |since, limit: Duration| (since, since, limit);
        let (earliest, latest, limit) = match self.session_state() {
            // Before its first bytes, the session counts from the last ones of the layer.
            State::Idle if session.seen == (0, 0) => {
                (session.served_at, moved_at, limits::KEEP_ALIVE)
            }
            State::Idle | State::Body | State::Unanswered { .. } => {
                at_once(session.served_at, limits::KEEP_ALIVE)
            }
            State::Head { .. } => {
                let held = session.held.as_ref();
                let earliest = held.map_or(now, |held| held.since);
                let latest = held.and_then(|held| held.received_at).unwrap_or(now);
                (earliest, latest, http.head_timeout)
            }
            State::Frames { .. } => {
                let Some(interval) = http.ping_interval else { return Due::No };
                at_once(session.served_at, interval)
            }
            State::Closing(_) => {
                let since = session.closing_since.unwrap_or(now);
                (since, moved_at.max(since), limits::CLOSE_TIMEOUT)
            }
            State::Over(_) => return Due::No,
        };
        match (earliest + limit <= now, latest + limit <= now) {
            (_, true) => Due::Yes,
            (true, false) => Due::Perhaps,
            (false, false) => Due::No,
        }
    }

    /// Checks the answer of a connection to the question whether a deadline has passed.
    pub(super) fn check_expiry(&mut self, due: Due, turn: Turn) {
        match (due, turn) {
            (Due::Yes, Turn::Wait) => {
                self.problem = Some("a deadline of the session is forgotten".into());
            }
            (Due::No, Turn::Again) => {
                self.problem = Some("a deadline of the session is early".into());
            }
            _ => {}
        }
    }

    /// Records that a deadline has passed when the session had received this many bytes, and checks what the connection has
    /// done.
    pub(super) fn record_expiry(&mut self, received: usize, now: Instant) {
        let Some(connection) = &self.connection else { return };
        let is_serving = connection.stage == Stage::Serving;
        match self.expected(received).state {
            State::Frames { is_inside } if !self.session.awaits_pong && !self.session.is_idle => {
                self.session.pings += usize::from(!is_inside);
                self.session.awaits_pong = true;
                self.session.served_at = now;
                if !is_serving {
                    self.problem = Some("a silent peer has had no ping".into());
                }
            }
            _ => {
                self.session.expired = Some(received);
                if is_serving {
                    self.problem = Some("a deadline does not end the session".into());
                }
            }
        }
    }
}
