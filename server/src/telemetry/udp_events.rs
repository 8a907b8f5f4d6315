//! The events of datagrams: one call logs and counts each.

use std::{io, net::SocketAddr};

use common::{escape::Quoted, message::without_newline, reason::reason};
use log::{error, info, warn};

use super::{log_throttle::Suppressed, recorder::Recorder};
use crate::admission::{DatagramRefusal, Peer};

impl Recorder<'_> {
    /// Counts and logs a datagram that may be answered.
    pub(crate) fn datagram_received(&self, from: SocketAddr, bytes: &[u8]) {
        self.counters.datagrams.add(1);
        self.counters.bytes_received.add(bytes.len() as u64);
        if self.logs_messages() {
            let (peer, text) = (Peer::remote(from), Quoted(without_newline(bytes)));
            info!(event = "received", peer:% = peer, bytes = bytes.len();
                "Received from {peer}: {text}");
        }
    }

    /// Counts and logs an answer that the socket has taken.
    pub(crate) fn datagram_echoed(&self, to: SocketAddr, bytes: &[u8]) {
        self.sent(bytes.len());
        if self.logs_messages() {
            let (peer, text) = (Peer::remote(to), Quoted(without_newline(bytes)));
            info!(event = "echoed", peer:% = peer, bytes = bytes.len();
                "Echoed to {peer}: {text}");
        }
    }

    /// Counts an answer that the system refused to send. Logs it if the log throttle allows it, with the number of
    /// suppressed lines.
    pub(crate) fn datagram_not_sent(
        &self,
        to: SocketAddr,
        error: &io::Error,
        allowed: Option<Suppressed>,
    ) {
        self.counters.datagrams_not_sent.add(1);
        if let Some(suppressed) = allowed {
            let (peer, reason) = (Peer::remote(to), reason(error));
            warn!(event = "datagram-not-sent", peer:% = peer;
                "Could not answer a datagram from {peer}: {reason}{suppressed}");
        }
    }

    /// Counts a datagram that must not be answered. Logs it if the log throttle allows it, with the number of
    /// suppressed lines.
    pub(crate) fn datagram_refused(
        &self,
        from: SocketAddr,
        refusal: DatagramRefusal,
        allowed: Option<Suppressed>,
    ) {
        self.counters.datagrams_refused.add(1);
        if let Some(suppressed) = allowed {
            let peer = Peer::remote(from);
            warn!(event = "datagram-refused", peer:% = peer;
                "Did not answer a datagram from {peer}: {refusal}{suppressed}");
        }
    }

    /// Counts a datagram that the system could not deliver. Logs it if the log throttle allows it, with the number of
    /// suppressed lines.
    pub(crate) fn datagram_not_received(
        &self,
        address: &str,
        error: &io::Error,
        allowed: Option<Suppressed>,
    ) {
        self.counters.datagrams_refused.add(1);
        if let Some(suppressed) = allowed {
            warn!(event = "datagram-not-received", address;
                "Could not receive a datagram on {address}: {}{suppressed}", reason(error));
        }
    }

    pub(crate) fn datagram_panicked(&self, address: &str) {
        self.counters.panics.add(1);
        error!(event = "panic", address;
            "A bug ended the service of a datagram on {address}; other datagrams are served");
    }
}
