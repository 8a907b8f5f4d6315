//! Whether the rooms are shared now, and the log lines about it.
//!
//! The proof is a heartbeat of this server that comes back: it has passed the publisher, Redis and the subscriber. An outage
//! begins with the first failure of one of the threads, and ends with a heartbeat that was sent after the last one.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use log::{debug, info, warn};

use super::node::Node;
use crate::config::RedisUrl;

/// The state of the connection with other servers.
#[derive(Debug)]
pub(super) struct Status {
    /// The URL without its password.
    url: String,
    node: Node,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    /// Number of the last heartbeat.
    heartbeats: u64,
    /// The last heartbeat before the last failure. Only a later one proves that Redis works again.
    disproved: u64,
    /// Events of the outage that were not published.
    not_sent: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Since the start of the server, and no attempt has failed.
    #[default]
    Connecting,
    Shared,
    /// An outage, since this time. `is_first`: the rooms were not shared before.
    Interrupted {
        since: Instant,
        is_first: bool,
    },
}

impl Status {
    pub(super) fn new(url: &RedisUrl, node: Node) -> Self {
        Self { url: url.to_string(), node, inner: Mutex::default() }
    }

    /// Returns the number of the next heartbeat.
    pub(super) fn next_heartbeat(&self) -> u64 {
        let mut inner = self.lock();
        inner.heartbeats += 1;
        inner.heartbeats
    }

    /// Records that a thread has lost Redis, or cannot reach it. Logs a warning if this begins an outage.
    pub(super) fn fail(&self, reason: &dyn fmt::Display, now: Instant) {
        let mut inner = self.lock();
        inner.disproved = inner.heartbeats;
        let is_first = match inner.state {
            State::Interrupted { .. } => {
                debug!(event = "relay-failed"; "Redis at {} still fails: {reason}", self.url);
                return;
            }
            State::Connecting => true,
            State::Shared => false,
        };
        inner.state = State::Interrupted { since: now, is_first };
        drop(inner);
        let (url, no_longer) = (&self.url, if is_first { "not" } else { "no longer" });
        warn!(event = "relay-lost", url;
            "Rooms are {no_longer} shared with other servers: {url} fails: {reason}; this server keeps trying");
    }

    /// Counts events that were not published.
    pub(super) fn add_not_sent(&self, events: u64) {
        self.lock().not_sent += events;
    }

    /// Takes the number of events that were not published, and of which the log has not told.
    pub(super) fn take_not_sent(&self) -> u64 {
        std::mem::take(&mut self.lock().not_sent)
    }

    /// Records that a heartbeat of this server has come back. Logs it if this ends an outage.
    pub(super) fn prove(&self, heartbeat: u64, now: Instant) {
        let mut inner = self.lock();
        if inner.state == State::Shared
            || heartbeat <= inner.disproved
            || heartbeat > inner.heartbeats
        {
            return;
        }
        let before = std::mem::replace(&mut inner.state, State::Shared);
        let not_sent = std::mem::take(&mut inner.not_sent);
        drop(inner);
        let (url, tag) = (&self.url, self.node.to_string());
        if matches!(before, State::Connecting | State::Interrupted { is_first: true, .. }) {
            info!(event = "relay-connected", url, tag;
                "Rooms are shared with other servers through {url}; the tag of this server is {tag}");
        }
        if let State::Interrupted { since, .. } = before {
            let lasted = shown(now.duration_since(since));
            info!(event = "relay-restored", url, lasted, not_sent;
                "Redis answers again after {lasted}; {not_sent} messages were not sent to other servers");
        }
    }

    /// Returns whether the rooms are shared now.
    pub(super) fn is_shared(&self) -> bool {
        self.lock().state == State::Shared
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a duration to a tenth of a second.
fn shown(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_ends_with_a_heartbeat_that_was_sent_after_its_last_failure() {
        let (url, now) = ("redis://127.0.0.1".parse().unwrap(), Instant::now());
        let status = Status::new(&url, Node(1));
        assert!(!status.is_shared());
        status.prove(1, now);
        assert!(!status.is_shared(), "nobody has sent it");
        let first = status.next_heartbeat();
        status.fail(&"the publisher", now);
        status.prove(first, now);
        assert!(!status.is_shared(), "it was sent before the failure");
        let second = status.next_heartbeat();
        status.fail(&"the subscriber", now);
        let third = status.next_heartbeat();
        status.prove(second, now);
        assert!(!status.is_shared());
        status.prove(third, now);
        assert!(status.is_shared());
        status.add_not_sent(3);
        status.fail(&"both", now);
        assert!(!status.is_shared());
        status.prove(status.next_heartbeat(), now);
        assert!(status.is_shared());
        assert_eq!(status.lock().not_sent, 0, "it was told");
    }

    #[test]
    fn a_duration_is_shown_to_a_tenth_of_a_second() {
        assert_eq!(shown(Duration::from_millis(3249)), "3.2 s");
    }
}
