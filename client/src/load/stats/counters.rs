//! Counters of a load: of one process since its last report, of all processes, or of several runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    error_kind::ErrorKind, fault::Fault, histogram::Histogram, receipt_stats::ReceiptStats,
    room_stats::RoomStats,
};

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stats {
    /// Messages that returned with every byte right, without those of the warm-up.
    pub(crate) messages: u64,
    /// Messages that were sent at least in part and had not returned when their connection failed,
    /// including those of the warm-up.
    pub(crate) lost: u64,
    /// Open loop: messages that were due and were never sent, without those of the warm-up.
    pub(crate) unsent: u64,
    /// Bytes that were sent and had not returned when their connection failed.
    pub(crate) bytes_lost: u64,
    /// Connections that the server ended cleanly, and that were made again.
    pub(crate) drains: u64,
    /// Messages that were in flight at such an end, and were sent again.
    pub(crate) resent: u64,
    /// Bytes of these messages that had been sent.
    pub(crate) bytes_resent: u64,
    /// Bytes sent, including those of the warm-up.
    pub(crate) bytes_sent: u64,
    /// Bytes that returned and were right, including those of the warm-up.
    pub(crate) bytes_checked: u64,
    /// Connections made; over UDP, sockets.
    pub(crate) connects: u64,
    /// TLS handshakes that resumed an earlier session.
    pub(crate) resumed: u64,
    /// Connections that the server ended without a `close_notify` of TLS.
    pub(crate) truncated: u64,
    /// Connections that the server ended before the start.
    pub(crate) ended_early: u64,
    /// WebSocket connections that ended with close frames of both sides.
    pub(crate) closes: u64,
    /// WebSocket connections that ended without.
    pub(crate) unclosed: u64,
    /// Last failure of WebSocket in words; the lines after the first are advice.
    pub(crate) websocket_failure: Option<String>,
    /// Last failure of a login in words; the lines after the first are advice.
    pub(crate) login_failure: Option<String>,
    /// Connections without a login whose first answer requires one.
    pub(crate) login_demands: u64,
    /// Connections without TLS on which a TLS alert arrived in place of the first echo.
    pub(crate) tls_alerts: u64,
    /// Number of connections on which the server answered with a response of HTTP.
    pub(crate) http_answers: u64,
    /// Last failure of TLS in words; the lines after the first are advice.
    pub(crate) tls_failure: Option<String>,
    /// Counters of a load over UDP.
    #[serde(skip_serializing_if = "DatagramStats::is_empty")]
    pub(crate) datagrams: DatagramStats,
    /// Last refusal of a room, or a failure of its protocol, in words; the lines after the first are advice.
    pub(crate) room_failure: Option<String>,
    /// Counters of a load of a room.
    #[serde(skip_serializing_if = "RoomStats::is_empty")]
    pub(crate) room: RoomStats,
    /// Counters of the receipts of the server.
    #[serde(skip_serializing_if = "ReceiptStats::is_empty")]
    pub(crate) receipts: ReceiptStats,
    /// Number of errors of each kind.
    pub(crate) errors: BTreeMap<ErrorKind, u64>,
    /// First faults, at most [`Stats::MAX_FAULTS`].
    pub(crate) faults: Vec<Fault>,
    /// Latency of messages: in a closed loop from the time at which they were sent, in an open loop from
    /// the time at which they were due.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub(crate) latency: Histogram,
    /// Time that connections took to be made.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub(crate) connect: Histogram,
    /// Time that TLS handshakes took, after the connect.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub(crate) handshake: Histogram,
    /// Time that WebSocket handshakes took, after the connect and the TLS handshake.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub(crate) upgrade: Histogram,
    /// Time that logins took, after the connect and the handshakes.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub(crate) login: Histogram,
    /// Open loop: delay from the time at which a message was due to the time at which it was sent.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub(crate) lag: Histogram,
}

/// Counters of datagrams, besides those that returned in time. A datagram of the warm-up is not counted,
/// unless its bytes cannot tell when it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DatagramStats {
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Datagrams that did not return within the time limit, including those that are late.
    pub(crate) timed_out: u64,
    /// Datagrams that returned after the time limit.
    pub(crate) late: u64,
    /// Datagrams that returned after one with a higher number of the same socket (RFC 4737).
    pub(crate) reordered: u64,
    /// Copies of datagrams that had returned, including those of the warm-up.
    pub(crate) duplicates: u64,
    /// Datagrams that belong to no socket of this run, including those of the warm-up.
    pub(crate) unrecognized: u64,
    /// Datagrams that this machine dropped because the receive buffer of a socket was full, including those
    /// of the warm-up.
    pub(crate) dropped: u64,
}

impl DatagramStats {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the number of datagrams that have not returned.
    pub(crate) fn lost(&self) -> u64 {
        self.timed_out - self.late
    }

    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.timed_out += other.timed_out;
        self.late += other.late;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
        self.unrecognized += other.unrecognized;
        self.dropped += other.dropped;
    }
}

impl Stats {
    /// Maximum number of faults: the first ones show what is wrong, and the others repeat it.
    pub(crate) const MAX_FAULTS: usize = 16;

    /// Counts an error.
    pub(crate) fn record_error(&mut self, kind: ErrorKind) {
        *self.errors.entry(kind).or_default() += 1;
    }

    /// Returns `true` if another fault fits.
    pub(crate) fn has_room_for_fault(&self) -> bool {
        self.faults.len() < Self::MAX_FAULTS
    }

    /// Returns the number of errors of all kinds.
    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds the statistics of another process or run.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.bytes_lost += other.bytes_lost;
        self.drains += other.drains;
        self.resent += other.resent;
        self.bytes_resent += other.bytes_resent;
        self.bytes_sent += other.bytes_sent;
        self.bytes_checked += other.bytes_checked;
        self.connects += other.connects;
        self.resumed += other.resumed;
        self.truncated += other.truncated;
        self.ended_early += other.ended_early;
        self.closes += other.closes;
        self.unclosed += other.unclosed;
        if other.websocket_failure.is_some() {
            self.websocket_failure.clone_from(&other.websocket_failure);
        }
        if other.login_failure.is_some() {
            self.login_failure.clone_from(&other.login_failure);
        }
        self.login_demands += other.login_demands;
        self.tls_alerts += other.tls_alerts;
        self.http_answers += other.http_answers;
        if other.tls_failure.is_some() {
            self.tls_failure.clone_from(&other.tls_failure);
        }
        self.datagrams.merge(&other.datagrams);
        if other.room_failure.is_some() {
            self.room_failure.clone_from(&other.room_failure);
        }
        self.room.merge(&other.room);
        self.receipts.merge(&other.receipts);
        for (kind, count) in &other.errors {
            *self.errors.entry(*kind).or_default() += count;
        }
        let room = Self::MAX_FAULTS.saturating_sub(self.faults.len());
        self.faults.extend(other.faults.iter().take(room).cloned());
        self.latency.merge(&other.latency);
        self.connect.merge(&other.connect);
        self.handshake.merge(&other.handshake);
        self.upgrade.merge(&other.upgrade);
        self.login.merge(&other.login);
        self.lag.merge(&other.lag);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stats(messages: u64, latencies_us: &[u64]) -> Stats {
        let mut stats = Stats { messages, ..Stats::default() };
        for &latency in latencies_us {
            stats.latency.record(Duration::from_micros(latency));
        }
        stats
    }

    #[test]
    fn merging_does_not_average_percentiles() {
        let mut all = stats(3, &[10, 10, 10]);
        all.record_error(ErrorKind::Reset);
        let mut other = stats(1, &[1000]);
        other.record_error(ErrorKind::Reset);
        other.record_error(ErrorKind::Timeout);
        all.merge(&other);
        assert_eq!((all.messages, all.error_count(), all.errors[&ErrorKind::Reset]), (4, 3, 2));
        assert!(all.latency.quantile(0.75) < Duration::from_micros(11));
        assert!(all.latency.quantile(0.76) > Duration::from_micros(999));
    }

    #[test]
    fn survives_serialization() {
        let mut stats = stats(2, &[5, 70_000_000]);
        stats.record_error(ErrorKind::WrongBytes);
        let line = serde_json::to_string(&stats).unwrap();
        assert_eq!(serde_json::from_str::<Stats>(&line).unwrap(), stats);
        assert_eq!(stats.latency.max().as_secs(), 70);
    }
}
