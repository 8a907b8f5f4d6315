//! A pair: a connection and its simulated peer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    application::Application,
    encoding::{Encoding, Encodings},
    layer_end::LayerEnd,
    network::SimulatedStream,
    script::{Script, header as random_header},
    session_clock::SessionClock,
    tls::TlsPeer,
};
use crate::{
    admission::{ConnectionLimits, Peer},
    connection::Connection,
    metrics::{WorkerCounters, WorkerListener},
    telemetry::CloseReason,
};

pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection and its peer.
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct Pair {
    /// `None`: the connection is over.
    pub(super) connection: Option<Connection<SimulatedStream>>,
    /// The stream of a dropped connection.
    dropped: SimulatedStream,
    pub(super) counters: WorkerCounters,
    /// The counters of its listener.
    pub(super) listener: WorkerListener,
    /// The reason of a dropped connection.
    close_reason: Option<CloseReason>,
    /// The layer of a dropped connection was ready for plaintext.
    was_established: bool,
    /// All bytes that the peer sends; with TLS, those that it has sent so far.
    pub(super) script: Vec<u8>,
    /// Number of them that have arrived.
    pub(super) arrived: usize,
    /// Length of the PROXY header at the beginning of the script, which may be truncated within it.
    pub(super) header: usize,
    /// The longest plaintext that the session holds until it is complete.
    pub(super) longest_held: usize,
    pub(super) application: Application,
    pub(super) encoding: Encoding,
    /// Number of bytes that had arrived when the drain began.
    pub(super) drained_at: Option<usize>,
    /// The session had not ended by then.
    pub(super) is_session_drained: bool,
    /// The session of HTTP as its deadlines see it.
    pub(super) session: SessionClock,
    /// Number of received bytes that were compared with the model.
    pub(super) verified: usize,
    /// The stream had ended by then.
    pub(super) fin_before_drain: bool,
    /// The poll has readiness to report.
    pub(super) edge: bool,
    /// The connection needs a turn.
    pub(super) queued: bool,
    /// The time at which a byte last moved.
    pub(super) moved_at: Instant,
    /// The peer need not receive all bytes: the connection was reset, timed out, or had an injected bug.
    pub(super) faulted: bool,
    /// The connection ended after its peer had ended the stream.
    pub(super) peer_ended: bool,
    /// What the connection has done against the rules, whatever its peer has received.
    pub(super) problem: Option<String>,
}

impl Pair {
    pub(super) fn new(
        encodings: Encodings,
        limits: &ConnectionLimits,
        now: Instant,
        rng: &mut Rng,
    ) -> Self {
        let application = Application::random(rng);
        let mut policy = application.policy(WRITE_TIMEOUT, rng);
        let mut script = Vec::new();
        if rng.u8(0..3) == 0 {
            policy = policy.with_proxy();
            script.extend_from_slice(random_header(rng));
        }
        let header = script.len();
        let Script { bytes, longest_held, has_frames } = application.script(rng);
        let encoding = Encoding::random(encodings, &application, bytes, &mut script, rng);
        policy = encoding.apply(policy);
        if header > 0 && !encoding.is_tls() && rng.u8(0..8) == 0 {
            script.truncate(rng.usize(0..=header));
        }
        let stream = SimulatedStream { room: application.room(rng), ..SimulatedStream::default() };
        let peer = Peer::Remote(([127, 0, 0, 1], 54321).into());
        let policy = Arc::new(policy);
        let permit = limits.admit(&policy, policy.source_of(&peer));
        let permit = permit.expect("the limit is not reached");
        let listener = Arc::clone(policy.counters.worker(0));
        let connection = Connection::new(stream, &peer, permit, Arc::clone(&listener), now, now);
        Self {
            connection: Some(connection),
            listener,
            dropped: SimulatedStream::default(),
            counters: WorkerCounters::default(),
            close_reason: None,
            was_established: false,
            script,
            arrived: 0,
            header,
            longest_held,
            application,
            encoding,
            drained_at: None,
            is_session_drained: false,
            session: SessionClock::new(now, has_frames),
            verified: 0,
            fin_before_drain: false,
            edge: false,
            queued: false,
            moved_at: now,
            faulted: false,
            peer_ended: false,
            problem: None,
        }
    }

    /// The peer does something of its own, if its encoding has anything to do. Returns it for the trace.
    pub(super) fn act(&mut self, rng: &mut Rng) -> Option<&'static str> {
        self.with_tls(|peer, wire, delivered| peer.act(wire, delivered, rng))
    }

    /// The peer does all that its encoding has to do for its handshake.
    pub(super) fn read_handshake(&mut self) {
        self.with_tls(TlsPeer::read_handshake);
    }

    /// The peer does all that its encoding has to do.
    pub(super) fn finish(&mut self) {
        self.with_tls(TlsPeer::finish);
    }

    /// Calls a function with a peer that speaks TLS, the wire to its server, and what was delivered to it.
    fn with_tls<T>(
        &mut self,
        call: impl FnOnce(&mut TlsPeer, &mut Vec<u8>, &[u8]) -> T,
    ) -> Option<T> {
        let stream =
            self.connection.as_ref().map_or(&self.dropped, |connection| &connection.stream);
        let Encoding::Tls(peer) = &mut self.encoding else { return None };
        Some(call(peer, &mut self.script, &stream.delivered))
    }

    /// Returns whether nothing more of the peer can arrive.
    pub(super) fn has_arrived(&self) -> bool {
        let stream =
            self.connection.as_ref().map_or(&self.dropped, |connection| &connection.stream);
        self.arrived == self.script.len() || stream.fin || stream.reset
    }

    /// Returns the position in the script up to which the connection serves what has arrived. A session of HTTP decides by
    /// itself when it is over.
    pub(super) fn served_to(&self) -> usize {
        match self.drained_at {
            Some(drained_at) if self.application.http().is_none() => drained_at,
            Some(drained_at) if drained_at < self.header || !self.has_established_layer() => {
                drained_at
            }
            _ => self.arrived,
        }
    }

    /// Returns the bytes that the session must have received by now, and whether the peer has ended its direction of the
    /// layer after them.
    pub(super) fn session_bytes(&self) -> (Vec<u8>, bool) {
        let end = self.served_to();
        self.encoding.sent(&self.script, self.header.min(end)..end)
    }

    /// Returns the bytes that the peer has received, and the state of the server's direction of the layer.
    pub(super) fn received(&mut self) -> (Vec<u8>, LayerEnd) {
        let stream =
            self.connection.as_ref().map_or(&self.dropped, |connection| &connection.stream);
        self.encoding.received(&stream.delivered)
    }

    /// Returns the number of bytes that the peer has received.
    pub(super) fn received_len(&mut self) -> usize {
        match &self.encoding {
            Encoding::Tls(peer) => peer.received.len(),
            Encoding::Plain | Encoding::Scrambled => self.stream().delivered.len(),
        }
    }

    /// Returns whether bytes of the PROXY header are missing.
    pub(super) fn is_in_header(&self) -> bool {
        self.arrived < self.header
    }

    /// Returns whether bytes of the preamble are missing.
    pub(super) fn is_in_preamble(&self) -> bool {
        if self.encoding.is_tls() {
            return self
                .connection
                .as_ref()
                .is_some_and(|connection| connection.stage.is_preamble());
        }
        self.arrived < self.header + usize::from(self.encoding.has_layer())
    }

    /// Returns the stream, also if the connection is over.
    pub(super) fn stream(&mut self) -> &SimulatedStream {
        self.connection.as_mut().map_or(&self.dropped, |connection| connection.stream_mut())
    }

    /// Returns the reason for which the connection ends, if it does.
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.connection.as_ref().map_or(self.close_reason, |connection| connection.close_reason)
    }

    /// Returns whether the session has begun, of a connection that has read everything.
    pub(super) fn is_established(&self) -> bool {
        self.served_to() >= self.header && self.has_established_layer()
    }

    fn has_established_layer(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.map_or(self.was_established, |connection| connection.layers.is_established())
    }

    /// Drops the connection, as a worker does.
    pub(super) fn drop_connection(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            self.dropped = std::mem::take(connection.stream_mut());
            self.faulted |= self.dropped.reset;
            self.peer_ended = self.dropped.fin;
            self.close_reason = connection.close_reason;
            self.was_established = connection.layers.is_established();
        }
    }

    /// Returns the connection if its deadline has passed.
    pub(super) fn late_connection(&self, now: Instant) -> Option<&Connection<SimulatedStream>> {
        let connection = self.connection.as_ref()?;
        let deadline = connection.deadline()?;
        (deadline <= now).then_some(connection)
    }
}
