//! The events of a connection: one call logs and counts each.
//!
//! Records go to the `log` crate. Bytes that a peer sent are quoted and escaped. A fault of a peer is never an
//! ERROR: that level is for faults of the server.

use std::{fmt, io, time::Duration};

use common::{escape::Quoted, message::Splitter, protocol::MAX_FRAME_PAYLOAD, reason::reason};
use humantime::format_duration;
use log::{Level, debug, error, info, warn};

use super::metrics::WorkerCounters;
use crate::{admission::LimitReached, config::limits, proxy_protocol::Malformed};

/// Logs and counts the events of one worker's connections and datagrams.
#[derive(Debug)]
pub(crate) struct ConnectionEvents<'a> {
    pub(super) counters: &'a WorkerCounters,
    /// Switch for the log of each message, when received and when echoed.
    log_messages: bool,
}

#[expect(
    clippy::unused_self,
    reason = "an event is logged by this type, whether it is counted or not"
)]
impl<'a> ConnectionEvents<'a> {
    pub(crate) fn new(counters: &'a WorkerCounters, log_messages: bool) -> Self {
        Self { counters, log_messages }
    }

    /// Switches the log of messages on or off.
    pub(crate) fn set_log_messages(&mut self, on: bool) {
        self.log_messages = on;
    }

    /// Returns whether messages are logged; if not, they need not be split.
    pub(super) fn logs_messages(&self) -> bool {
        self.log_messages && log::max_level() >= Level::Info
    }

    /// Counts a connection that the worker has taken.
    pub(crate) fn assigned(&self) {
        self.counters.connections.add(1);
    }

    /// Logs a new client, which may be connected through a proxy.
    pub(crate) fn connected(&self, peer: &str, through: Option<&str>) {
        match through {
            None => info!(event = "connected", peer; "New client connected: {peer}"),
            Some(through) => info!(event = "connected", peer, through;
                "New client connected: {peer} (through {through})"),
        }
    }

    /// Logs and counts a client behind a proxy that a limit refuses.
    pub(crate) fn refused(&self, peer: &str, through: &str, limit: LimitReached) {
        self.counters.refused.add(1);
        warn!(event = "refused", peer, through; "Refused {peer}: at the limit of {limit}");
    }

    /// Logs and counts a connection whose first bytes are not the required PROXY header.
    pub(crate) fn proxy_header_invalid(&self, peer: &str, error: &Malformed, bytes: &[u8]) {
        self.counters.refused.add(1);
        let bytes = ReceivedBytes(bytes);
        if *error == Malformed::Missing {
            warn!(event = "no-header", peer;
                "Client {peer} sent no PROXY header, which this listener requires{bytes}");
        } else {
            warn!(event = "bad-header", peer;
                "Client {peer} sent an invalid PROXY header: {error}{bytes}");
        }
    }

    /// Logs and counts a peer that closed in the middle of a PROXY header.
    pub(crate) fn proxy_header_incomplete(&self, peer: &str, bytes: &[u8]) {
        self.counters.refused.add(1);
        let bytes = ReceivedBytes(bytes);
        warn!(event = "cut-header", peer;
            "Client {peer} disconnected before its PROXY header was complete{bytes}");
    }

    /// Logs and counts a connection whose PROXY header was not complete within its time limit.
    pub(crate) fn proxy_header_timed_out(&self, peer: &str, after: Duration, bytes: &[u8]) {
        self.counters.refused.add(1);
        let (after, bytes) = (format_duration(after), ReceivedBytes(bytes));
        warn!(event = "late-header", peer;
            "Client {peer} sent no complete PROXY header within {after}, which this listener \
             requires{bytes}");
    }

    /// Counts bytes that the session has consumed, and logs their messages. Advances `splitter` past them and
    /// returns the number of messages that were logged.
    #[inline]
    pub(crate) fn received(&self, peer: &str, splitter: &mut Splitter, bytes: &[u8]) -> usize {
        self.counters.bytes_received.add(bytes.len() as u64);
        if self.logs_messages() { Self::log_received(peer, splitter, bytes) } else { 0 }
    }

    fn log_received(peer: &str, splitter: &mut Splitter, mut bytes: &[u8]) -> usize {
        let mut messages = 0;
        while let Some(message) = splitter.next(bytes) {
            let text = Quoted(message.text);
            info!(event = "received", peer, bytes = message.len; "Received from {peer}: {text}");
            bytes = &bytes[message.len..];
            messages += 1;
        }
        messages
    }

    /// Counts bytes that the socket has taken, echo or reply.
    pub(crate) fn sent(&self, bytes: usize) {
        self.counters.bytes_sent.add(bytes as u64);
    }

    /// Logs the messages of this echo that are sent completely; its first `sent` bytes are sent. Advances
    /// `splitter` past these messages and returns their length; the next call must pass the other bytes again.
    #[inline]
    pub(crate) fn echoed(
        &self,
        peer: &str,
        splitter: &mut Splitter,
        bytes: &[u8],
        sent: usize,
    ) -> usize {
        if self.logs_messages() { Self::log_echoed(peer, splitter, bytes, sent) } else { sent }
    }

    fn log_echoed(peer: &str, splitter: &mut Splitter, bytes: &[u8], sent: usize) -> usize {
        let mut at = 0;
        loop {
            let mut next = *splitter;
            match next.next(&bytes[at..]) {
                Some(message) if at + message.len <= sent => {
                    let text = Quoted(message.text);
                    info!(event = "echoed", peer, bytes = message.len; "Echoed to {peer}: {text}");
                    at += message.len;
                    *splitter = next;
                }
                _ => return at,
            }
        }
    }

    pub(crate) fn exit_requested(&self, peer: &str) {
        info!(event = "exit", peer; "Client {peer} requested to exit");
    }

    pub(crate) fn frame_too_long(&self, peer: &str, payload: u32) {
        warn!(event = "frame-too-long", peer, bytes = payload;
            "Client {peer} announced a frame of {payload} bytes, over the limit of {MAX_FRAME_PAYLOAD}");
    }

    /// Logs a peer that ended its stream without an exit.
    pub(crate) fn disconnected(&self, peer: &str) {
        info!(event = "disconnected", peer; "Client {peer} disconnected unexpectedly");
    }

    /// Logs a connection that failed; bytes may be lost.
    pub(crate) fn connection_lost(&self, peer: &str, error: &io::Error, unsent: usize) {
        let reason = reason(error);
        info!(event = "disconnected", peer, unsent;
            "Client {peer} disconnected unexpectedly: {reason}{}", Unsent(unsent));
    }

    pub(crate) fn write_timed_out(&self, peer: &str, after: Duration, unsent: usize) {
        warn!(event = "write-timeout", peer, unsent;
            "Client {peer} timed out: nothing could be written for {}{}",
            format_duration(after), Unsent(unsent));
    }

    pub(crate) fn idle_timed_out(&self, peer: &str, after: Duration) {
        info!(event = "idle-timeout", peer;
            "Client {peer} timed out: idle for {}", format_duration(after));
    }

    pub(crate) fn linger_timed_out(&self, peer: &str) {
        debug!(event = "linger-timeout", peer;
            "Client {peer} keeps sending after the end of its session; closing the connection");
    }

    /// Logs a connection that is dropped because the server stops immediately.
    pub(crate) fn aborted(&self, peer: &str, unsent: usize) {
        warn!(event = "cut", peer, unsent;
            "Client {peer} was disconnected: the server stops immediately{}", Unsent(unsent));
    }

    /// Logs a connection that is dropped because the drain timeout has passed.
    pub(crate) fn drain_timed_out(&self, peer: &str, unsent: usize) {
        warn!(event = "cut", peer, unsent;
            "Client {peer} did not disconnect within the drain timeout{}", Unsent(unsent));
    }

    /// Logs the move of connections to other workers.
    pub(crate) fn migrated(&self, connections: usize) {
        debug!(event = "given", connections;
            "Moved {connections} busy connections to less busy workers");
    }

    /// Logs a socket that the poll refuses.
    pub(crate) fn registration_failed(&self, peer: &str, error: &io::Error) {
        error!(event = "not-registered", peer; "Cannot serve {peer}: {}", reason(error));
    }

    pub(crate) fn panicked(&self, peer: &str) {
        self.counters.panics.add(1);
        error!(event = "panic", peer;
            "A bug ended the connection with {peer}; other connections continue");
    }

    /// Logs and counts the close of a connection that was never logged.
    pub(crate) fn probe_closed(&self, peer: &str) {
        self.counters.probes.add(1);
        debug!(event = "probe", peer; "{peer} disconnected without sending data");
    }

    pub(crate) fn closed(&self, peer: &str) {
        info!(event = "closed", peer; "Connection with {peer} closed");
    }
}

/// `; the received bytes begin with 'GET / HTTP/1.1'`, or nothing.
struct ReceivedBytes<'a>(&'a [u8]);

impl fmt::Display for ReceivedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..self.0.len().min(limits::PROXY_SHOWN)] {
            [] => Ok(()),
            bytes => write!(f, "; the received bytes begin with {}", Quoted(bytes)),
        }
    }
}

/// `; 12 bytes of its echo were not sent`, or nothing: the bytes that the socket has not taken. The number of
/// other bytes that the peer has not received is unknown.
struct Unsent(usize);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str("; 1 byte of its echo was not sent"),
            more => write!(f, "; {more} bytes of its echo were not sent"),
        }
    }
}
