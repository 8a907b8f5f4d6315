//! The state of a listener on its way to its close.

use std::{net::SocketAddr, time::Instant};

use common::reason::reason;
use log::debug;

use super::{handshakes::Handshakes, refuse::refuse_handshakes};
use crate::{
    config::limits,
    listener::{
        control::Ack,
        listening_socket::{ListeningSocket, StreamListener},
    },
};

/// A listener on its way to its close.
#[derive(Debug)]
pub(in crate::listener) struct Closing {
    /// The address whose handshakes may be in progress, and the end of the wait for them.
    handshakes: Option<(SocketAddr, Instant)>,
    /// Limit on the connections that are still accepted: no backlog holds more.
    accepts_left: usize,
    /// Dropped when the listener is closed.
    _ack: Option<Ack>,
}

impl Closing {
    /// Begins to close a listener.
    pub(in crate::listener) fn begin(
        listener: &StreamListener,
        now: Instant,
        ack: Option<Ack>,
    ) -> Self {
        let mut handshakes = None;
        if !listener.is_inherited {
            if let Err(error) = refuse_handshakes(&listener.socket) {
                let (address, reason) = (listener.address(), reason(&error));
                debug!("Cannot refuse new connections to {address}: {reason}");
            } else {
                let until = now + limits::HANDSHAKE_TIMEOUT;
                handshakes = tcp_address(&listener.socket).map(|address| (address, until));
            }
        }
        let accepts_left = usize::try_from(limits::BACKLOG).unwrap_or(usize::MAX);
        Self { handshakes, accepts_left, _ack: ack }
    }

    /// Returns the address for whose handshakes the listener waits.
    pub(in crate::listener) fn waits_for_handshakes_with(&self) -> Option<SocketAddr> {
        self.handshakes.map(|(address, _)| address)
    }

    /// Ends the wait if the handshakes have ended or the time is up. Returns whether the wait is over: the backlog must
    /// then be accepted once more, since the handshakes have filled it.
    pub(in crate::listener) fn check(&mut self, in_progress: &Handshakes, now: Instant) -> bool {
        self.handshakes
            .take_if(|(address, until)| now >= *until || !in_progress.contains(address.port()));
        self.handshakes.is_none()
    }

    /// Counts an accepted connection.
    pub(in crate::listener) fn count_accepted(&mut self) {
        self.accepts_left = self.accepts_left.saturating_sub(1);
    }

    /// Returns whether as many connections were accepted as a backlog holds.
    pub(in crate::listener) fn has_accepted_all(&self) -> bool {
        self.accepts_left == 0
    }
}

fn tcp_address(socket: &ListeningSocket) -> Option<SocketAddr> {
    match socket {
        ListeningSocket::Tcp(listener) => listener.local_addr().ok(),
        ListeningSocket::Unix(_) => None,
    }
}
