//! A pair: a connection and its simulated peer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::protocol::Protocol;
use fastrand::Rng;

use super::{
    network::SimulatedStream,
    script::{insert_header, messages},
};
use crate::{
    admission::{ConnectionLimits, ConnectionPolicy, Peer},
    connection::Connection,
    layer::{NewScrambled, ScrambledPeer},
};

const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection and its peer.
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub(super) struct Pair {
    /// `None`: the connection is over.
    pub(super) connection: Option<Connection<SimulatedStream>>,
    /// The stream of a dropped connection.
    dropped: SimulatedStream,
    /// All bytes that the peer ever sends.
    pub(super) script: Vec<u8>,
    /// Number of them that have arrived.
    pub(super) arrived: usize,
    /// Length of the PROXY header at the beginning of the script, which may be truncated within it.
    pub(super) header: usize,
    /// The script after the PROXY header is that of a layer.
    pub(super) is_layered: bool,
    /// Number of bytes that had arrived when the drain began.
    pub(super) drained_at: Option<usize>,
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
    /// The connection ended too early: before its timeout, or by a panic of its own.
    pub(super) cut_early: bool,
}

impl Pair {
    pub(super) fn new(
        protocol: Protocol,
        limits: &ConnectionLimits,
        now: Instant,
        rng: &mut Rng,
    ) -> Self {
        let mut policy = ConnectionPolicy::for_protocol(protocol)
            .with_timeouts(Some(IDLE_TIMEOUT), Some(WRITE_TIMEOUT));
        let mut script = messages(protocol, rng);
        let is_layered = rng.u8(0..3) == 0;
        if is_layered {
            policy = policy.with_layer(NewScrambled);
            script = ScrambledPeer::encode(&script, rng.bool());
        }
        let mut header = 0;
        if rng.u8(0..3) == 0 {
            policy = policy.with_proxy();
            header = insert_header(&mut script, rng);
        }
        let stream = SimulatedStream { room: rng.usize(0..40), ..SimulatedStream::default() };
        let peer = Peer::Remote(([127, 0, 0, 1], 54321).into());
        let policy = Arc::new(policy);
        let permit = limits.admit(&policy, policy.source_of(&peer));
        let permit = permit.expect("the limit is not reached");
        Self {
            connection: Some(Connection::new(stream, &peer, permit, now)),
            dropped: SimulatedStream::default(),
            script,
            arrived: 0,
            header,
            is_layered,
            drained_at: None,
            edge: false,
            queued: false,
            moved_at: now,
            faulted: false,
            peer_ended: false,
            cut_early: false,
        }
    }

    /// Returns the bytes that the session must have received by now.
    pub(super) fn session_bytes(&self) -> Vec<u8> {
        let end = self.drained_at.unwrap_or(self.arrived);
        let wire = &self.script[self.header.min(end)..end];
        if self.is_layered { ScrambledPeer::sent(wire).0 } else { wire.to_vec() }
    }

    /// Returns the bytes that the peer has received.
    pub(super) fn received(&mut self) -> Vec<u8> {
        let is_layered = self.is_layered;
        let wire = &self.stream().delivered;
        if is_layered { ScrambledPeer::received(wire).0 } else { wire.clone() }
    }

    /// Returns whether bytes of the PROXY header are missing.
    pub(super) fn is_in_header(&self) -> bool {
        self.arrived < self.header
    }

    /// Returns whether bytes of the preamble are missing.
    pub(super) fn is_in_preamble(&self) -> bool {
        self.arrived < self.header + usize::from(self.is_layered)
    }

    /// Returns the stream, also if the connection is over.
    pub(super) fn stream(&mut self) -> &SimulatedStream {
        self.connection.as_mut().map_or(&self.dropped, |connection| connection.stream_mut())
    }

    /// Drops the connection, as a worker does.
    pub(super) fn drop_connection(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            self.dropped = std::mem::take(connection.stream_mut());
            self.faulted |= self.dropped.reset;
            self.peer_ended = self.dropped.fin;
        }
    }

    /// Returns the connection if its deadline has passed.
    pub(super) fn late_connection(&self, now: Instant) -> Option<&Connection<SimulatedStream>> {
        let connection = self.connection.as_ref()?;
        let deadline = connection.deadline()?;
        (deadline <= now).then_some(connection)
    }
}
