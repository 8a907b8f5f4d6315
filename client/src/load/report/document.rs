//! Document that `--json` writes, `merge` reads, and the table shows.
//!
//! A change of its form that readers notice raises [`VERSION`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    distribution::Distribution,
    figures::{
        datagram_counts::DatagramCounts,
        fault_figures::FaultFigures,
        room_figures::RoomFigures,
        start_figures::{StartFigures, StartSpread},
    },
    load_spec::LoadSpec,
    rate_curve::RateCurve,
    time_series::TimeSeries,
    verdict::Verdict,
};
use crate::load::stats::{error_kind::ErrorKind, fault::Fault};

/// Version of the form of the document.
pub(crate) const VERSION: u32 = 2;

/// Report of a load, or of several merged loads.
///
/// A value that is not known is null: a histogram log, for example, does not tell how many messages were
/// lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Report of echo-client load")]
pub(crate) struct Report {
    /// Version of this form.
    pub(crate) version: u32,
    /// Verdict on the figures.
    pub(crate) verdict: Verdict,
    /// Reason of the verdict, as a sentence.
    pub(crate) reason: String,
    /// Ctrl+C ended the load early.
    pub(crate) stopped_early: bool,
    /// Specification of the load; null in a merged report, whose parts have it.
    pub(crate) plan: Option<LoadSpec>,
    /// Start of the load, in a search of its first step; absent in a merged report, whose parts have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<StartFigures>,
    /// Starts of the merged loads; absent if this report was not merged, or if the start of a load is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starts: Option<StartSpread>,
    /// When messages were sent; null if it is unknown or differs between merged reports.
    pub(crate) pacing: Option<Pacing>,
    /// Messages that returned with every byte right, without those of the warm-up.
    pub(crate) messages: u64,
    /// Messages that did not return; over UDP, until the end.
    pub(crate) lost: Option<u64>,
    /// Open loop: messages that were due and were not sent until `--timeout` after the end.
    #[serde(default)]
    pub(crate) unsent: Option<u64>,
    /// Bytes that were sent and did not return before their connection failed.
    pub(crate) bytes_lost: Option<u64>,
    /// Connections that the server ended cleanly, and that were made again (`--expect-restart`).
    pub(crate) drains: Option<u64>,
    /// Messages that were in flight at such an end, and were sent again.
    pub(crate) resent: Option<u64>,
    /// Bytes of these messages that had been sent and had not returned.
    pub(crate) bytes_resent: Option<u64>,
    /// Measured time: from the end of the warm-up to the last message that returned or, over UDP, was sent.
    pub(crate) seconds: f64,
    /// Time from the begin of the first of the merged loads to the end of the last one, each by its own clock; absent if this report was not
    /// merged, or if it is unknown. If it is longer than `seconds`, the loads did not run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) span_seconds: Option<f64>,
    /// Messages per second that returned.
    pub(crate) rate: f64,
    /// Bytes sent, including those of the warm-up.
    pub(crate) bytes_sent: Option<u64>,
    /// Bytes that returned and were right, including those of the warm-up.
    pub(crate) bytes_checked: Option<u64>,
    /// Bytes per second that returned and were right.
    pub(crate) bytes_per_second: Option<f64>,
    /// Connections made.
    pub(crate) connects: Option<u64>,
    /// Latency of messages: in a closed loop from the time at which they were sent, in an open loop from
    /// the time at which they were due.
    pub(crate) latency: Distribution,
    /// Time that connections took to be made.
    pub(crate) connect: Option<Distribution>,
    /// TLS of the connections; absent without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsFigures>,
    /// Time that logins took, after the connect and the TLS handshake; absent without a login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<Distribution>,
    /// WebSocket of the connections; absent without WebSocket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) websocket: Option<WebSocketFigures>,
    /// Open loop: delay from the time at which a message was due to the time at which it was sent.
    pub(crate) lag: Option<Distribution>,
    /// Time series of the load; null if it is unknown, or if there is a time between merged loads in which none ran.
    #[serde(default)]
    pub(crate) series: Option<TimeSeries>,
    /// Counts of a load over UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datagrams: Option<DatagramCounts>,
    /// Figures of a load of a room; absent for other loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) room: Option<RoomFigures>,
    /// Comparison with the receipts of the server (`--receipt`); absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipts: Option<ReceiptFigures>,
    /// Number of errors of each kind.
    pub(crate) errors: Option<BTreeMap<ErrorKind, u64>>,
    /// Comparison with the faults that the server has injected (`--expect-faults`); absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) injected_faults: Option<FaultFigures>,
    /// First differences between what was sent and what returned.
    pub(crate) faults: Vec<Fault>,
    /// Processes of the client that failed, and the reason of each.
    pub(crate) failed_processes: Vec<String>,
    /// CPU usage of the client.
    pub(crate) client_cpu: Option<ClientCpu>,
    /// Results of the assertions.
    pub(crate) assertions: Vec<AssertionResult>,
    /// Search for the highest rate that ended with this report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) find_rate: Option<RateCurve>,
    /// Merged reports; empty if this report was not merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Part>,
}

impl Report {
    /// Longest time in seconds by which the measured times of merged loads differ if the loads ran at the same time, unless a tenth of the
    /// longest is more.
    const TOLERANCE: f64 = 0.1;

    /// Returns the time that the merged loads took together if they did not run at the same time. Their rate is too high then.
    pub(crate) fn separate_seconds(&self) -> Option<f64> {
        let tolerance = (self.seconds / 10.0).max(Self::TOLERANCE);
        self.span_seconds.filter(|span| *span > self.seconds + tolerance)
    }

    /// Returns a report without messages, in which everything else is unknown.
    pub(crate) fn unknown() -> Self {
        Self { version: VERSION, ..Self::default() }
    }
}

/// When messages were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pacing {
    /// A message was sent when another had returned.
    ClosedLoop,
    /// A message was sent when it was due.
    OpenLoop,
}

/// TLS of the connections of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TlsFigures {
    /// Time that handshakes took, after the connect.
    pub(crate) handshake: Distribution,
    /// Handshakes that resumed an earlier session.
    pub(crate) resumed: u64,
    /// Connections that the server ended without a `close_notify`.
    pub(crate) truncated: u64,
}

/// WebSocket of the connections of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WebSocketFigures {
    /// Time that handshakes took, after the connect and the TLS handshake.
    pub(crate) handshake: Distribution,
    /// Connections that ended with close frames of both sides.
    pub(crate) closes: u64,
    /// Connections that ended without.
    pub(crate) unclosed: u64,
}

/// Comparison of what the connections sent and received with the receipts of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReceiptFigures {
    /// Connections whose receipt was compared.
    pub(crate) compared: u64,
    /// Those on which all bytes of both directions arrived unchanged.
    pub(crate) equal: u64,
    /// Connections that ended without a receipt.
    pub(crate) missing: u64,
    /// Bytes that were lost on the way to the server.
    pub(crate) bytes_lost_to_server: u64,
    /// Bytes that were added on the way to the server.
    pub(crate) bytes_added_to_server: u64,
    /// Bytes that the server did not read, because it ended the connection before the client did.
    pub(crate) bytes_unread_by_server: u64,
    /// Bytes that were lost on the way back.
    pub(crate) bytes_lost_back: u64,
    /// Bytes that were added on the way back.
    pub(crate) bytes_added_back: u64,
}

/// CPU usage of the client in the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClientCpu {
    /// User and system CPU time of all processes of the client.
    pub(crate) seconds: f64,
    /// Part of it that TLS took, estimated; absent without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_seconds: Option<f64>,
    /// Number of cores that they kept busy: CPU time per second.
    pub(crate) cores: f64,
    /// Share of one core that the busiest process used, from 0 to 1.
    pub(crate) busiest_process: f64,
    /// Number of cores of the machine; in a merged report, of all machines.
    pub(crate) machine_cores: u32,
}

impl ClientCpu {
    /// Returns the share that TLS took, if it is at least one percent.
    pub(crate) fn tls_share(&self) -> Option<f64> {
        Some(self.tls_seconds? / self.seconds).filter(|share| (0.01..=1.0).contains(share))
    }
}

/// Result of an assertion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AssertionResult {
    /// Assertion, as it was typed.
    pub(crate) assertion: String,
    /// The assertion holds.
    pub(crate) holds: bool,
    /// Actual value of the metric, as a sentence.
    pub(crate) figure: String,
}

/// Report that has been merged into this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Part {
    /// File from which it was read.
    pub(crate) file: String,
    /// Its verdict.
    pub(crate) verdict: Verdict,
    /// Reason of its verdict, as a sentence.
    pub(crate) reason: String,
    /// Messages that returned.
    pub(crate) messages: u64,
    /// Messages per second that returned.
    pub(crate) rate: f64,
    /// Specification of the load.
    pub(crate) plan: Option<LoadSpec>,
    /// Its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<StartFigures>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path of the committed schema. To update it: `UPDATE_SCHEMA=1 cargo test -p client schema`.
    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/load-report.schema.json");

    #[test]
    fn the_committed_schema_describes_the_report() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Report)).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(COMMITTED, &schema).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap();
        assert!(committed == schema, "run UPDATE_SCHEMA=1 cargo test -p client schema");
    }
}
