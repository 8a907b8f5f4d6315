//! The recorder of events: one call logs and counts each.
//!
//! Messages are logged here, by the macros of `log`, because most records are theirs. Measured: as [`ConnectionEvent`]s
//! the two records of a message made it 5,406 instead of 5,225 instructions.

use std::{cell::RefCell, io, net::SocketAddr, time::Instant};

use common::{
    escape::Quoted,
    message::{Splitter, without_newline},
    reason::reason,
};
use log::{Level, debug, error, info};

use super::{
    connection_event::{ConnectionEvent, OfConnection, Subject},
    datagram_event::{DatagramEvent, OfDatagram},
    event::record,
    log_throttle::{LogThrottle, Suppressed},
    metrics::WorkerCounters,
};
use crate::{admission::Peer, config::limits};

/// Logs and counts the events of one worker's connections and datagrams.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    /// The index of the worker.
    worker: usize,
    pub(super) counters: &'a WorkerCounters,
    /// Switch for the log of each message, when received and when echoed.
    log_messages: bool,
    /// Limit on the log of failures of TLS, before the end of the handshake or after it.
    failures: RefCell<LogThrottle>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(worker: usize, counters: &'a WorkerCounters, log_messages: bool) -> Self {
        let failures = RefCell::new(LogThrottle::new(limits::LOG_THROTTLE));
        Self { worker, counters, log_messages, failures }
    }

    /// Returns the index of the worker.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }

    /// Switches the log of messages on or off.
    pub(crate) fn set_log_messages(&mut self, on: bool) {
        self.log_messages = on;
    }

    /// Returns whether messages are logged; if not, they need not be split.
    pub(crate) fn logs_messages(&self) -> bool {
        self.log_messages && log::max_level() >= Level::Info
    }

    /// Logs and counts an event of a connection.
    pub(crate) fn record(&self, subject: Subject<'_>, event: ConnectionEvent<'_>) {
        let event = OfConnection { subject, event, suppressed: Suppressed::default() };
        record(&event, self.counters, true);
    }

    /// Counts a failure of TLS, and logs it unless another one was logged a moment ago. Returns whether it was logged.
    pub(crate) fn record_throttled(
        &self,
        subject: Subject<'_>,
        event: ConnectionEvent<'_>,
        now: Instant,
    ) -> bool {
        let allowed = self.failures.borrow_mut().allow(now);
        let event = OfConnection { subject, event, suppressed: allowed.unwrap_or_default() };
        record(&event, self.counters, allowed.is_some());
        allowed.is_some()
    }

    /// Counts an event of a datagram. Logs it if the log throttle allows it, with the number of suppressed lines.
    pub(crate) fn record_datagram(&self, event: DatagramEvent<'_>, allowed: Option<Suppressed>) {
        let event = OfDatagram { event, suppressed: allowed.unwrap_or_default() };
        record(&event, self.counters, allowed.is_some());
    }

    /// Counts a connection that the worker has taken.
    pub(crate) fn assigned(&self) {
        self.counters.connections.add(1);
    }

    /// Counts events of rooms that were sent to members.
    #[cfg(feature = "rooms")]
    pub(crate) fn delivered(&self, events: usize) {
        self.counters.room_deliveries.add(events as u64);
    }

    /// Counts events of rooms that slow members do not receive.
    #[cfg(feature = "rooms")]
    pub(crate) fn dropped(&self, events: u64) {
        self.counters.room_dropped.add(events);
    }

    /// Counts bytes that the session has consumed.
    pub(crate) fn received(&self, bytes: usize) {
        self.counters.bytes_received.add(bytes as u64);
    }

    /// Logs the messages in bytes that the session has consumed. Advances `splitter` past them and returns the number of
    /// messages.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn log_received(
        &self,
        subject: Subject<'_>,
        splitter: &mut Splitter,
        mut bytes: &[u8],
    ) -> usize {
        let Subject { id, peer } = subject;
        let mut messages = 0;
        while let Some(message) = splitter.next(bytes) {
            let text = Quoted(message.text);
            info!(event = "received", peer, connection:% = id, bytes = message.len;
                "Received from {peer}: {text}");
            bytes = &bytes[message.len..];
            messages += 1;
        }
        messages
    }

    /// Counts bytes that the socket has taken, echo or reply.
    pub(crate) fn sent(&self, bytes: usize) {
        self.counters.bytes_sent.add(bytes as u64);
    }

    /// Logs the messages of an echo that are sent completely; its first `sent` bytes are sent. Advances `splitter` past
    /// these messages. Returns their length and number; the next call must pass the other bytes again.
    pub(crate) fn echoed_in_part(
        &self,
        subject: Subject<'_>,
        splitter: &mut Splitter,
        bytes: &[u8],
        sent: usize,
    ) -> (usize, isize) {
        let Subject { id, peer } = subject;
        let (mut at, mut messages) = (0, 0);
        loop {
            let mut next = *splitter;
            match next.next(&bytes[at..]) {
                Some(message) if at + message.len <= sent => {
                    if self.logs_messages() {
                        let text = Quoted(message.text);
                        info!(event = "echoed", peer, connection:% = id, bytes = message.len;
                            "Echoed to {peer}: {text}");
                    }
                    at += message.len;
                    messages += 1;
                    *splitter = next;
                }
                _ => return (at, messages),
            }
        }
    }

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

    /// Logs the move of connections to other workers.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn migrated(&self, connections: usize) {
        debug!(event = "migrated", connections;
            "Moved {connections} busy connections to less busy workers");
    }

    /// Logs a socket of a listener that the poll refuses.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn registration_failed(&self, address: &str, error: &io::Error) {
        error!(event = "not-registered", address; "Cannot serve {address}: {}", reason(error));
    }
}
