//! What a worker says and counts about its connections: every line of a connection's life.
//!
//! The lines go to the `log` crate, under whatever logger the program has; what a connection's peer
//! sent is quoted and escaped. A fault of a peer is never an ERROR: that level is for ours.

use std::{io, net::SocketAddr, time::Duration};

use common::{
    escape::Quoted,
    message::{Splitter, without_newline},
    protocol::MAX_FRAME_PAYLOAD,
    reason::reason,
};
use humantime::format_duration;
use log::{Level, debug, error, info, warn};

use crate::{
    counters::WorkerCounters, datagram::Refusal, limits, open::Full, peer::Peer, proxy::Malformed,
    throttle::More,
};

/// One worker's journal.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    counters: &'a WorkerCounters,
    /// Whether each message has its two lines.
    messages: bool,
}

#[expect(clippy::unused_self, reason = "a line is the journal's to write, counted or not")]
impl<'a> Journal<'a> {
    pub(crate) fn new(counters: &'a WorkerCounters, messages: bool) -> Self {
        Self { counters, messages }
    }

    /// Has each message logged from now on, or none.
    pub(crate) fn log_messages(&mut self, on: bool) {
        self.messages = on;
    }

    /// Whether messages are logged now; if not, nothing needs to be kept or split for it.
    fn logs_messages(&self) -> bool {
        self.messages && log::max_level() >= Level::Info
    }

    /// A connection is the worker's from now on.
    pub(crate) fn taken(&self) {
        self.counters.connections.add(1);
    }

    /// Where a proxy has connected for the peer, that is who it came through.
    pub(crate) fn connected(&self, peer: &str, through: Option<&str>) {
        match through {
            None => info!(event = "connected", peer; "New client connected: {peer}"),
            Some(through) => info!(event = "connected", peer, through;
                "New client connected: {peer} (through {through})"),
        }
    }

    /// There is no room for whom a proxy has connected for.
    pub(crate) fn refused(&self, peer: &str, through: &str, full: Full) {
        self.counters.refused.add(1);
        warn!(event = "refused", peer, through; "Refused {peer}: at the limit of {full}");
    }

    /// These first bytes cannot become the PROXY header that was to come.
    pub(crate) fn bad_header(&self, peer: &str, why: &Malformed, bytes: &[u8]) {
        self.counters.refused.add(1);
        let bytes = Began(bytes);
        if *why == Malformed::Missing {
            warn!(event = "no-header", peer;
                "Client {peer} sent no PROXY header, which this listener requires{bytes}");
        } else {
            warn!(event = "bad-header", peer; "Client {peer} sent a wrong PROXY header: {why}{bytes}");
        }
    }

    /// The peer has gone, or ended its stream, after these bytes of a PROXY header.
    pub(crate) fn cut_header(&self, peer: &str, bytes: &[u8]) {
        self.counters.refused.add(1);
        let bytes = Began(bytes);
        warn!(event = "cut-header", peer; "Client {peer} left before its PROXY header was whole{bytes}");
    }

    /// Only these bytes of a PROXY header have come in the time that it may take.
    pub(crate) fn late_header(&self, peer: &str, after: Duration, bytes: &[u8]) {
        self.counters.refused.add(1);
        let (after, bytes) = (format_duration(after), Began(bytes));
        warn!(event = "late-header", peer;
            "Client {peer} sent no whole PROXY header within {after}, which this listener requires{bytes}");
    }

    /// Bytes have come, and the session has dealt with them. Moves `splitter` past them. Returns how
    /// many messages were logged.
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

    /// The socket took these bytes, echo or not.
    pub(crate) fn sent(&self, bytes: usize) {
        self.counters.bytes_sent.add(bytes as u64);
    }

    /// The first `sent` of these bytes of echo have been sent. Returns how many of them belong to
    /// messages that were sent whole, and moves `splitter` past those; the other ones are to be
    /// shown again when more has been sent.
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

    pub(crate) fn disconnected(&self, peer: &str) {
        info!(event = "disconnected", peer; "Client {peer} disconnected unexpectedly");
    }

    /// The peer is gone in a way that lost something, or may have.
    pub(crate) fn lost(&self, peer: &str, error: &io::Error, unsent: usize) {
        let reason = reason(error);
        info!(event = "disconnected", peer, unsent;
            "Client {peer} disconnected unexpectedly: {reason}{}", NotSent(unsent));
    }

    pub(crate) fn write_timed_out(&self, peer: &str, after: Duration, unsent: usize) {
        warn!(event = "write-timeout", peer, unsent;
            "Client {peer} timed out: it took nothing for {}{}", format_duration(after), NotSent(unsent));
    }

    pub(crate) fn idle_timed_out(&self, peer: &str, after: Duration) {
        info!(event = "idle-timeout", peer;
            "Client {peer} timed out: it was idle for {}", format_duration(after));
    }

    pub(crate) fn linger_timed_out(&self, peer: &str) {
        debug!(event = "linger-timeout", peer;
            "Client {peer} goes on sending after the end of its session; closing on it");
    }

    /// The server ends at once, as it was told to.
    pub(crate) fn dropped(&self, peer: &str, unsent: usize) {
        warn!(event = "cut", peer, unsent;
            "Client {peer} was cut off: the server ends at once{}", NotSent(unsent));
    }

    /// The server cannot wait for this peer any longer.
    pub(crate) fn cut(&self, peer: &str, unsent: usize) {
        warn!(event = "cut", peer, unsent; "Client {peer} did not leave in time{}", NotSent(unsent));
    }

    /// So many of the worker's connections have been given to others.
    pub(crate) fn given(&self, connections: usize) {
        debug!(event = "given", connections;
            "Gave {connections} busy connections to workers with less to do");
    }

    pub(crate) fn not_registered(&self, peer: &str, error: &io::Error) {
        error!(event = "not-registered", peer; "Cannot serve {peer}: {}", reason(error));
    }

    pub(crate) fn panicked(&self, peer: &str) {
        self.counters.panics.add(1);
        error!(event = "panic", peer; "A bug ended the connection with {peer}; the others go on");
    }

    /// A datagram has come that may be answered.
    pub(crate) fn datagram_received(&self, from: SocketAddr, bytes: &[u8]) {
        self.counters.datagrams.add(1);
        self.counters.bytes_received.add(bytes.len() as u64);
        if self.logs_messages() {
            let (peer, text) = (Peer::remote(from), Quoted(without_newline(bytes)));
            info!(event = "received", peer:% = peer, bytes = bytes.len();
                "Received from {peer}: {text}");
        }
    }

    /// The socket took all of an answer.
    pub(crate) fn datagram_echoed(&self, to: SocketAddr, bytes: &[u8]) {
        self.sent(bytes.len());
        if self.logs_messages() {
            let (peer, text) = (Peer::remote(to), Quoted(without_newline(bytes)));
            info!(event = "echoed", peer:% = peer, bytes = bytes.len();
                "Echoed to {peer}: {text}");
        }
    }

    /// The system would not send an answer. Only if `told` is there is it worth a line, which says how many
    /// were not.
    pub(crate) fn datagram_not_sent(&self, to: SocketAddr, error: &io::Error, told: Option<u64>) {
        self.counters.datagrams_not_sent.add(1);
        if let Some(more) = told {
            let (peer, reason) = (Peer::remote(to), reason(error));
            warn!(event = "datagram-not-sent", peer:% = peer;
                "Could not answer a datagram from {peer}: {reason}{}", More(more));
        }
    }

    /// A datagram has come that must not be answered. `told` as for one that was not sent.
    pub(crate) fn datagram_refused(&self, from: SocketAddr, refusal: Refusal, told: Option<u64>) {
        self.counters.datagrams_refused.add(1);
        if let Some(more) = told {
            let peer = Peer::remote(from);
            warn!(event = "datagram-refused", peer:% = peer;
                "Did not answer a datagram from {peer}: {refusal}{}", More(more));
        }
    }

    pub(crate) fn datagram_panicked(&self, address: &str) {
        self.counters.panics.add(1);
        error!(event = "panic", address;
            "A bug ended the service of a datagram on {address}; the others go on");
    }

    /// It has come and gone and was not worth a line.
    pub(crate) fn probed(&self, peer: &str) {
        self.counters.probes.add(1);
        debug!(event = "probe", peer; "{peer} came and went without a word");
    }

    pub(crate) fn closed(&self, peer: &str) {
        info!(event = "closed", peer; "Connection with {peer} closed");
    }
}

/// `; it began with 'GET / HTTP/1.1'`, or nothing.
struct Began<'a>(&'a [u8]);

impl std::fmt::Display for Began<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0[..self.0.len().min(limits::PROXY_SHOWN)] {
            [] => Ok(()),
            bytes => write!(f, "; it began with {}", Quoted(bytes)),
        }
    }
}

/// `; 12 bytes of its echo were not sent`, or nothing: what no socket has taken. Of what one has taken,
/// nobody knows how much has arrived.
struct NotSent(usize);

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str("; 1 byte of its echo was not sent"),
            more => write!(f, "; {more} bytes of its echo were not sent"),
        }
    }
}
