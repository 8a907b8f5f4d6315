//! The reason for which a connection ends, and its event.

use crate::connection::{connection::Connection, stream::Stream, turn::TurnContext};
use crate::{
    session::Reason,
    telemetry::{CloseReason, ConnectionEvent, Recorder},
};

impl<S: Stream> Connection<S> {
    /// Sets the reason for which the connection ends, unless it has one that stays.
    pub(crate) fn end_because(&mut self, reason: CloseReason) {
        if self.close_reason.is_none_or(|earlier| reason.replaces(earlier)) {
            self.close_reason = Some(reason);
        }
    }

    /// Returns whether the connection stays out of the log: its layer failed, and the log has a line about another.
    pub(in crate::connection) fn is_suppressed(&self) -> bool {
        !self.is_logged && self.has_failed()
    }

    /// Returns whether the layer has failed.
    pub(in crate::connection) fn has_failed(&self) -> bool {
        matches!(self.close_reason, Some(CloseReason::Handshake | CloseReason::LayerError))
    }

    /// Records an event of the worker that ends the connection.
    pub(crate) fn end_with(
        &mut self,
        reason: CloseReason,
        event: ConnectionEvent<'_>,
        telemetry: &Recorder<'_>,
    ) {
        if !self.stage.is_preamble() && !self.is_suppressed() {
            self.log_connected(telemetry);
        }
        self.is_logged = true;
        self.end_because(reason);
        telemetry.record(self.subject(), event);
    }

    /// Records that the end of the drain, or an immediate stop, cuts the connection.
    pub(crate) fn cut(&mut self, is_stopped: bool, telemetry: &Recorder<'_>) {
        let unsent = self.unsent();
        let (reason, event) = if is_stopped {
            (CloseReason::Shutdown, ConnectionEvent::Aborted { unsent })
        } else {
            (CloseReason::DrainTimeout, ConnectionEvent::DrainTimedOut { unsent })
        };
        self.end_with(reason, event, telemetry);
    }

    /// Returns the user of the connection, if a reload has removed the user and the connection must close.
    #[cfg(feature = "login")]
    pub(in crate::connection) fn removed_user(&self) -> Option<&str> {
        let account = self.permit.account().filter(|account| account.is_removed())?;
        self.permit.authenticator().closes_removed().then(|| account.name())
    }

    /// Records the end of a session by its protocol.
    pub(in crate::connection) fn record_end(&mut self, reason: &Reason, context: &TurnContext<'_>) {
        let (close_reason, event) = match *reason {
            Reason::Exit => (CloseReason::Exit, ConnectionEvent::ExitRequested),
            Reason::FrameTooLong(payload) => {
                (CloseReason::FrameTooLong, ConnectionEvent::FrameTooLong { payload })
            }
            Reason::Violation(what) => {
                (CloseReason::ProtocolError, ConnectionEvent::ProtocolViolated { what })
            }
            Reason::Timeout(what) => {
                (CloseReason::ProtocolTimeout, ConnectionEvent::ProtocolTimedOut { what })
            }
            Reason::Refused(ref why) => {
                (CloseReason::RequestRefused, ConnectionEvent::RequestRefused { why })
            }
            #[cfg(feature = "rooms")]
            Reason::TooSlow(waiting) => {
                (CloseReason::TooSlow, ConnectionEvent::TooSlow { waiting })
            }
            Reason::IdleTimeout => {
                let after = self.options().idle_timeout.unwrap_or_default();
                (CloseReason::IdleTimeout, ConnectionEvent::IdleTimedOut { after })
            }
            #[cfg(feature = "login")]
            Reason::NotLoggedIn => return self.end_because(CloseReason::Login),
            #[cfg(feature = "login")]
            Reason::UserRemoved => return self.end_because(CloseReason::UserRemoved),
            Reason::Complete => return self.end_because(CloseReason::Complete),
            Reason::Drain => return self.end_because(CloseReason::Drain),
            Reason::Fault => return self.end_because(CloseReason::Fault),
        };
        self.end_because(close_reason);
        context.telemetry.record(self.subject(), event);
    }
}
