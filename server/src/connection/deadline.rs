//! The deadlines of a connection.

use std::time::Instant;

use super::{connection::Connection, stage::Stage, stream::Stream, turn::Turn};
use crate::{config::limits, telemetry::ConnectionEvents};

impl<S: Stream> Connection<S> {
    /// Returns the time at which [`expire`](Self::expire) must be called, unless the deadline moves before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let may_be_a_probe = !self.is_logged && self.stage != Stage::ProxyHeader;
        let log_at = may_be_a_probe.then(|| self.last_activity + limits::PROBE_TIME);
        [log_at, self.timeout_at()].into_iter().flatten().min()
    }

    /// Returns the time at which the present stage times out.
    fn timeout_at(&self) -> Option<Instant> {
        let options = self.options();
        let limit = match self.stage {
            _ if self.send_buffer.is_some() => options.write_timeout,
            Stage::ProxyHeader => Some(limits::PROXY_TIMEOUT),
            Stage::Lingering => self.draining.is_none().then_some(limits::LINGER),
            Stage::Serving | Stage::Flushing | Stage::Closing => options.idle_timeout,
        };
        // A deadline beyond the range of the clock never comes.
        limit.and_then(|limit| self.last_activity.checked_add(limit))
    }

    /// Handles a deadline that has passed at `now`. Returns [`Turn::Over`] if the connection has timed out.
    pub(crate) fn expire(&mut self, now: Instant, telemetry: &ConnectionEvents<'_>) -> Turn {
        if self.stage != Stage::ProxyHeader {
            self.log_connected(telemetry);
        }
        if self.timeout_at().is_none_or(|timeout| timeout > now) {
            return Turn::Wait;
        }
        let options = self.options();
        let write_timeout = options.write_timeout.filter(|_| self.send_buffer.is_some());
        if self.stage == Stage::ProxyHeader {
            self.is_logged = true;
            telemetry.proxy_header_timed_out(&self.peer, limits::PROXY_TIMEOUT, &self.held);
        } else if let Some(after) = write_timeout {
            telemetry.write_timed_out(&self.peer, after, self.unsent());
        } else if self.stage == Stage::Lingering {
            telemetry.linger_timed_out(&self.peer);
        } else if let Some(after) = options.idle_timeout {
            telemetry.idle_timed_out(&self.peer, after);
        }
        Turn::Over
    }
}
