//! The recorder of events: one call logs and counts each.
//!
//! Messages are logged here, by the macros of `log`, because most records are theirs. Measured: as [`ConnectionEvent`]s
//! the two records of a message made it 5,406 instead of 5,225 instructions.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use common::{
    escape::Quoted,
    fault::FaultAct,
    message::{Splitter, without_newline},
    reason::reason,
};
use log::{Level, LevelFilter, debug, error, info};

use super::{
    connection_event::{ConnectionEvent, OfConnection, Subject},
    datagram_event::{DatagramEvent, OfDatagram},
    event::record,
    injected_fault::{Target, record_fault},
    log_throttle::{LogThrottle, Suppressed},
};
use crate::{
    admission::Peer,
    config::{LogReceipts, limits},
    consolidation::Change,
    faults::FaultPlan,
    history::{self, Direction, Origin},
    metrics::{ListenerCounters, WorkerCounters},
};

/// Where messages go: to the log, the history, both or neither; and which fields a closed connection has in the log.
///
/// One byte, so that the path of a message needs one test for log and history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recording(u8);

const LOG: u8 = 1;
const HISTORY: u8 = 2;
const MESSAGES: u8 = LOG | HISTORY;
const TCP_INFO: u8 = 4;
const RECEIPT_TEXT: u8 = 8;

impl Recording {
    pub(crate) const fn new(log: bool, history: bool) -> Self {
        Self((if log { LOG } else { 0 }) | (if history { HISTORY } else { 0 }))
    }

    /// Returns the same with the log of messages switched on or off.
    pub(crate) const fn with_log(self, log: bool) -> Self {
        Self((self.0 & !LOG) | (if log { LOG } else { 0 }))
    }

    /// Returns the same with these receipts.
    pub(crate) const fn with_receipts(self, receipts: LogReceipts) -> Self {
        let flags = match receipts {
            LogReceipts::Totals => 0,
            LogReceipts::Fields => TCP_INFO,
            LogReceipts::Text => TCP_INFO | RECEIPT_TEXT,
        };
        Self((self.0 & MESSAGES) | flags)
    }

    fn is_any(self) -> bool {
        self.0 & MESSAGES != 0
    }

    fn is_log(self) -> bool {
        self.0 & LOG != 0
    }

    fn is_history(self) -> bool {
        self.0 & HISTORY != 0
    }

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

impl From<bool> for Recording {
    /// The log alone.
    fn from(log: bool) -> Self {
        Self::new(log, false)
    }
}

/// Logs and counts the events of one worker's connections and datagrams.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    /// The index of the worker.
    worker: usize,
    pub(super) counters: &'a WorkerCounters,
    /// Where each message goes, when received and when echoed.
    recording: Recording,
    /// The level of the log from which messages are split: that of their log, or any level if the history records them.
    split_from: LevelFilter,
    /// Limit on the log of failures of TLS, before the end of the handshake or after it.
    failures: RefCell<LogThrottle>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(
        worker: usize,
        counters: &'a WorkerCounters,
        recording: impl Into<Recording>,
    ) -> Self {
        let recording = recording.into();
        let split_from = if recording.is_history() { LevelFilter::Off } else { LevelFilter::Info };
        let failures = RefCell::new(LogThrottle::new(limits::LOG_THROTTLE));
        Self { worker, counters, recording, split_from, failures }
    }

    /// Returns the index of the worker.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }

    /// Changes what becomes of messages. A history is there from the beginning, or never.
    pub(crate) fn set_recording(&mut self, recording: Recording) {
        self.recording = recording;
    }

    /// Returns whether messages are logged or recorded; if not, they need not be split.
    pub(crate) fn splits_messages(&self) -> bool {
        self.recording.is_any() && log::max_level() >= self.split_from
    }

    /// Returns whether messages are logged.
    pub(crate) fn logs_messages(&self) -> bool {
        self.recording.is_log() && log::max_level() >= Level::Info
    }

    /// Returns whether the history records messages.
    pub(crate) fn has_history(&self) -> bool {
        self.recording.is_history()
    }

    /// Returns whether the kernel's figures about a connection are read before it closes.
    pub(crate) fn reads_tcp_info(&self) -> bool {
        self.recording.has(TCP_INFO) && log::max_level() >= Level::Info
    }

    /// Returns whether the text of a close has the receipt.
    pub(crate) fn writes_receipts(&self) -> bool {
        self.recording.has(RECEIPT_TEXT)
    }

    /// Logs and counts an event of a connection.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn record(&self, subject: Subject<'_>, event: ConnectionEvent<'_>) {
        let event = OfConnection { subject, event, suppressed: Suppressed::default() };
        record(&event, subject.counters, true);
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
        record(&event, subject.counters, allowed.is_some());
        allowed.is_some()
    }

    /// Counts an event of a datagram. Logs it if the log throttle allows it, with the number of suppressed lines.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn record_datagram(
        &self,
        event: DatagramEvent<'_>,
        counters: &ListenerCounters,
        allowed: Option<Suppressed>,
    ) {
        let event = OfDatagram { event, suppressed: allowed.unwrap_or_default() };
        record(&event, counters, allowed.is_some());
    }

    /// Records a fault that was injected into a connection of this listener.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn fault(
        &self,
        subject: Subject<'_>,
        listener: &str,
        plan: &FaultPlan,
        act: &FaultAct,
    ) {
        let Subject { id, peer, counters } = subject;
        let target = Target { peer, connection: Some(id), listener, is_datagram: false };
        record_fault(target, counters, plan, act);
    }

    /// Records a fault that was injected into datagrams of this peer.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn datagram_fault(
        &self,
        peer: &Peer,
        listener: &str,
        counters: &ListenerCounters,
        plan: &FaultPlan,
        act: &FaultAct,
    ) {
        let peer = &peer.to_string();
        let target = Target { peer, connection: None, listener, is_datagram: true };
        record_fault(target, counters, plan, act);
    }

    /// Counts a connection that the worker has taken, and the time for which it has waited.
    pub(crate) fn assigned(&self, listener: &ListenerCounters, waited: Duration) {
        listener.assigned.add(1);
        self.counters.dispatch_waits.record(waited);
    }

    /// Counts an iteration of the event loop that took this long, without the sleep.
    #[inline]
    pub(crate) fn iteration(&self, nanoseconds: u64) {
        self.counters.busy_ns.add(nanoseconds);
        self.counters.iteration_times.record_ns(nanoseconds);
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

    /// Logs the messages in bytes that the session has consumed, and records them in the history if they have an origin for
    /// it. Advances `splitter` past them and returns the number of messages.
    pub(crate) fn log_received(
        &self,
        subject: Subject<'_>,
        origin: Option<&Origin<'_>>,
        splitter: &mut Splitter,
        mut bytes: &[u8],
    ) -> usize {
        let Subject { id, peer, .. } = subject;
        let is_logged = self.logs_messages();
        let mut messages = 0;
        while let Some(message) = splitter.next(bytes) {
            if is_logged {
                let text = Quoted(message.text);
                info!(event = "received", peer, connection:% = id, bytes = message.len;
                    "Received from {peer}: {text}");
            }
            if let Some(origin) = origin {
                record_received(origin, message.text);
            }
            bytes = &bytes[message.len..];
            messages += 1;
        }
        messages
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
        let Subject { id, peer, .. } = subject;
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

    /// Counts, logs and records a datagram that may be answered.
    pub(crate) fn datagram_received(
        &self,
        listener: &str,
        counters: &ListenerCounters,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        counters.datagrams.add(1);
        counters.messages_received.add(1);
        counters.bytes_received.add(bytes.len() as u64);
        if self.has_history() {
            let peer = &Peer::remote(from).to_string();
            let origin = Origin { listener, protocol: "raw", peer, user: None, room: None };
            record_received(&origin, without_newline(bytes));
        }
        if self.logs_messages() {
            let (peer, text) = (Peer::remote(from), Quoted(without_newline(bytes)));
            info!(event = "received", peer:% = peer, bytes = bytes.len();
                "Received from {peer}: {text}");
        }
    }

    /// Counts and logs an answer that the socket has taken.
    pub(crate) fn datagram_echoed(
        &self,
        counters: &ListenerCounters,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        counters.messages_sent.add(1);
        counters.bytes_sent.add(bytes.len() as u64);
        if self.logs_messages() {
            let (peer, text) = (Peer::remote(to), Quoted(without_newline(bytes)));
            info!(event = "echoed", peer:% = peer, bytes = bytes.len();
                "Echoed to {peer}: {text}");
        }
    }

    /// Counts and logs the move of connections to other workers.
    pub(crate) fn migrated(&self, connections: usize) {
        self.counters.migrated.add(connections as u64);
        debug!(event = "migrated", connections;
            "Moved {connections} busy connections to other workers");
    }

    /// Logs that another number of workers serves from now on.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn consolidated(&self, change: Change) {
        match change {
            Change::Fewer { serving, workers } => debug!(event = "consolidated", serving, workers;
                "{serving} of {workers} workers serve, since they compete for cores"),
            Change::All { workers, reason } => {
                debug!(event = "consolidation-ended", workers, reason:%;
                    "All workers serve again, since {reason}");
            }
        }
    }

    /// Logs a socket of a listener that the poll refuses.
    #[expect(clippy::unused_self, reason = "an event is recorded by this type")]
    pub(crate) fn registration_failed(&self, address: &str, error: &io::Error) {
        error!(event = "not-registered", address; "Cannot serve {address}: {}", reason(error));
    }
}

/// Records a message of a peer in the history.
fn record_received(origin: &Origin<'_>, bytes: &[u8]) {
    let direction = Direction::Received;
    history::record(origin, &history::Message { direction, sequence: None, bytes });
}
