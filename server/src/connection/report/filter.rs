//! The choice of the connections in a list.

use std::time::{Duration, Instant};

use crate::connection::{connection::Connection, stream::Stream};

/// Conditions that a connection in a list meets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The name of its listener.
    pub(crate) listener: Option<String>,
    /// The name of its peer, or its address without the port.
    pub(crate) peer: Option<String>,
    /// The user who has logged in.
    pub(crate) user: Option<String>,
    /// The least time without activity.
    pub(crate) min_idle: Option<Duration>,
}

/// The figure by which connections are sorted, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Bytes received and sent.
    Bytes,
    /// Time since the accept.
    Age,
    /// Time without activity.
    Idle,
    /// Bytes that the peer has yet to receive.
    Unsent,
}

impl<S: Stream> Connection<S> {
    /// Returns whether the connection meets all conditions.
    pub(crate) fn matches(&self, filter: &Filter, now: Instant) -> bool {
        let Filter { listener, peer, user, min_idle } = filter;
        let idle = || now.saturating_duration_since(self.last_activity);
        min_idle.is_none_or(|least| idle() >= least)
            && listener.as_ref().is_none_or(|name| *name == self.permit.policy().counters.address)
            && peer.as_ref().is_none_or(|name| is_peer(name, &self.peer))
            && user.as_ref().is_none_or(|name| self.user() == Some(name))
    }

    /// Returns the figure by which the connection is sorted.
    pub(crate) fn rank(&self, order: Order, now: Instant) -> u64 {
        let nanoseconds = |since| {
            u64::try_from(now.saturating_duration_since(since).as_nanos()).unwrap_or(u64::MAX)
        };
        match order {
            Order::Bytes => self.totals.bytes_received.saturating_add(self.totals.bytes_sent),
            Order::Age => nanoseconds(self.totals.opened_at),
            Order::Idle => nanoseconds(self.last_activity),
            Order::Unsent => self.unsent() as u64,
        }
    }
}

/// Returns whether a text is the name of a peer, or its address without the port.
fn is_peer(text: &str, peer: &str) -> bool {
    // Only an address has a port; the name of a Unix socket may have colons as well.
    let is_address = !peer.starts_with("unix:");
    let address = peer.rsplit_once(':').filter(|_| is_address).map_or(peer, |(address, _)| address);
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
    text == peer || text == bare.unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_named_with_or_without_its_port() {
        for (text, peer, is_same) in [
            ("127.0.0.1:5000", "127.0.0.1:5000", true),
            ("127.0.0.1", "127.0.0.1:5000", true),
            ("127.0.0.1", "127.0.0.11:5000", false),
            ("127.0.0.1:500", "127.0.0.1:5000", false),
            ("::1", "[::1]:5000", true),
            ("[::1]:5000", "[::1]:5000", true),
            ("unix:///run/echo.sock#1", "unix:///run/echo.sock#1", true),
            ("unix:///run/echo.sock", "unix:///run/echo.sock#1", false),
            ("unix", "unix:///run/echo.sock#1", false),
            ("unix:///run/a", "unix:///run/a:b.sock#1", false),
        ] {
            assert_eq!(is_peer(text, peer), is_same, "{text} {peer}");
        }
    }
}
