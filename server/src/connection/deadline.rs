//! The timers of a connection.
//!
//! The worker arms one entry for the earliest timer, and asks again when that fires, so a timer that moves later costs
//! nothing.

use std::time::{Duration, Instant};

use super::{connection::Connection, stage::Stage, stream::Stream, turn::Turn};
use crate::{
    config::limits,
    faults::Wire,
    session::Session,
    telemetry::{CloseReason, ConnectionEvent, Recorder},
};

/// A timer that ends a connection. The time from which a connection is no probe runs beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The PROXY header is not complete.
    ProxyHeader,
    /// The handshake is not complete.
    Handshake,
    /// Nothing could be written.
    Write,
    /// Nothing was received.
    Idle,
    /// The peer keeps sending after the half-close.
    Linger,
    /// The peer has not acknowledged everything.
    Delivery,
}

impl<S: Stream> Connection<S> {
    /// Returns the time at which [`expire`](Self::expire) must be called, unless all timers move before.
    #[expect(clippy::inline_always, reason = "it is called after each message")]
    #[inline(always)]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.session {
            Session::Other(_) => self.deadline_with_session(),
            // After nearly each message; the same as the general case, in few instructions.
            _ if self.is_logged && self.stage == Stage::Serving && self.send_buffer.is_none() => {
                self.last_activity.checked_add(self.options().idle_timeout?)
            }
            _ => self.own_deadline(),
        }
    }

    #[inline(never)]
    fn own_deadline(&self) -> Option<Instant> {
        [self.probe_end(), self.timeout().map(|(_, at)| at)].into_iter().flatten().min()
    }

    #[cold]
    fn deadline_with_session(&self) -> Option<Instant> {
        let own = if self.is_waiting() { None } else { self.own_deadline() };
        [own, self.session_deadline(), self.fault_deadline()].into_iter().flatten().min()
    }

    /// Returns the time from which the connection is no probe, and is logged.
    fn probe_end(&self) -> Option<Instant> {
        let may_be_a_probe = !self.is_logged && !self.stage.is_preamble() && !self.is_suppressed();
        may_be_a_probe.then(|| self.last_activity + limits::PROBE_TIME)
    }

    /// Returns the timer that ends the connection, and its time.
    fn timeout(&self) -> Option<(Timer, Instant)> {
        let options = self.options();
        let (timer, since, limit) = match self.stage {
            stage
                if stage.is_preamble()
                    && let Some((timer, limit)) = self.preamble_timeout() =>
            {
                (timer, self.totals.opened_at, Some(limit))
            }
            // The server itself holds back what is to be sent.
            _ if self.send_buffer.is_some() && self.layers.wire().is_some_and(Wire::is_gated) => {
                return None;
            }
            _ if self.send_buffer.is_some() => {
                (Timer::Write, self.last_activity, options.write_timeout)
            }
            Stage::Lingering => {
                let limit = (!self.drain.is_draining()).then_some(limits::LINGER);
                (Timer::Linger, self.last_activity, limit)
            }
            Stage::Delivering => (Timer::Delivery, self.last_activity, Some(limits::DELIVERY)),
            // The server itself holds back what was received.
            _ if self.layers.wire().is_some_and(Wire::holds_back) => return None,
            _ => (Timer::Idle, self.last_activity, options.idle_timeout),
        };
        // A deadline beyond the range of the clock never comes.
        Some((timer, since.checked_add(limit?)?))
    }

    /// Returns whether the idle timeout of a session that answers it has passed.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let is_due = matches!(self.timeout(), Some((Timer::Idle, at)) if at <= now);
        is_due && self.stage == Stage::Serving && matches!(self.session, Session::Other(_))
    }

    /// Returns whether only the session's own deadline counts: it waits for that, and the peer has taken everything.
    fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting && self.send_buffer.is_none()
    }

    /// Returns the deadline of a session with timers of its own. While the peer takes nothing, only the write timeout counts.
    fn session_deadline(&self) -> Option<Instant> {
        match &self.session {
            Session::Other(handler) if self.stage.is_in_session() && self.send_buffer.is_none() => {
                handler.deadline()
            }
            _ => None,
        }
    }

    /// Returns the timer of the preamble and its limit, if there is one.
    #[cold]
    fn preamble_timeout(&self) -> Option<(Timer, Duration)> {
        let (timer, limit) = match self.stage {
            Stage::ProxyHeader => (Timer::ProxyHeader, self.header_timeout()),
            _ => (Timer::Handshake, self.options().handshake_timeout),
        };
        limit.map(|limit| (timer, limit))
    }

    /// Returns the limit on the time until the PROXY header is complete. It is no longer than the one on everything before
    /// the session.
    fn header_timeout(&self) -> Option<Duration> {
        let options = self.options();
        let handshake = options.handshake_timeout.filter(|_| self.permit.policy().has_layer());
        [options.proxy_timeout, handshake].into_iter().flatten().min()
    }

    /// Handles the timers that have fired by `now`. Returns [`Turn::Over`] if the connection has timed out.
    pub(crate) fn expire(&mut self, now: Instant, telemetry: &Recorder<'_>) -> Turn {
        if self.has_due_faults(now) {
            return Turn::Again;
        }
        if !self.stage.is_preamble() && !self.is_suppressed() {
            self.log_connected(telemetry);
        }
        let timeout = self.timeout().filter(|_| !self.is_waiting());
        match timeout {
            Some((_, at)) if at <= now && self.is_suppressed() => Turn::Over,
            // The session may reply, which takes a turn.
            _ if self.is_idle(now) => Turn::Again,
            Some((timer, at)) if at <= now => self.time_out(timer, now, telemetry),
            _ if self.session_deadline().is_some_and(|at| at <= now) => Turn::Again,
            _ => Turn::Wait,
        }
    }

    fn time_out(&mut self, timer: Timer, now: Instant, telemetry: &Recorder<'_>) -> Turn {
        let options = self.options();
        let limit = |limit: Option<Duration>| limit.unwrap_or_default();
        let (reason, event) = match timer {
            Timer::ProxyHeader => {
                let after = limit(self.header_timeout());
                (
                    CloseReason::ProxyHeader,
                    ConnectionEvent::ProxyHeaderTimedOut { after, bytes: &self.held },
                )
            }
            Timer::Handshake => {
                let after = limit(options.handshake_timeout);
                let event = ConnectionEvent::HandshakeTimedOut { after };
                self.fail_with(CloseReason::Handshake, event, telemetry, now);
                return Turn::Over;
            }
            Timer::Write => {
                let after = limit(options.write_timeout);
                (
                    CloseReason::WriteTimeout,
                    ConnectionEvent::WriteTimedOut { after, unsent: self.unsent() },
                )
            }
            Timer::Idle => {
                let after = limit(options.idle_timeout);
                self.end_layer(now);
                (CloseReason::IdleTimeout, ConnectionEvent::IdleTimedOut { after })
            }
            Timer::Delivery => (CloseReason::WriteTimeout, ConnectionEvent::DeliveryTimedOut),
            Timer::Linger => (CloseReason::Linger, ConnectionEvent::LingerTimedOut),
        };
        telemetry.record(self.subject(), event);
        self.is_logged = true;
        self.end_because(reason);
        Turn::Over
    }
}
