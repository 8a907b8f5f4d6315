//! A load's figures as one document: what `--json` writes, `merge` reads, and the table shows.
//!
//! Owns the document's form, which `docs/load-report.schema.json` describes; a change that readers
//! notice raises [`VERSION`]. Must not know how it is shown, nor where it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::{
    evaluate::{assertion::Assertion, verdict::Verdict},
    report::load_spec::Asked,
    stats::counters::{ErrorKind, Fault, Times},
};

/// The version of the document's form.
pub const VERSION: u32 = 1;

/// The report of a load, or of several that were merged.
///
/// What is null is not known: a histogram log, for one, does not say how many messages were lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Report of echo-client load")]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// Whether the figures are to be believed.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether it was ended before its time, by Ctrl+C.
    pub stopped_early: bool,
    /// What was asked for; null in a merged report, whose parts have it.
    pub plan: Option<Asked>,
    /// Whether messages were sent on schedule or on replies.
    pub pacing: Option<Pacing>,
    /// Messages that came back whole, every byte of them right; without those of the warm-up.
    pub messages: u64,
    /// Messages that did not come back; over UDP, not by the end.
    pub lost: Option<u64>,
    /// Bytes of them that the server had been sent.
    pub bytes_lost: Option<u64>,
    /// Connections that the server ended cleanly, and that were made anew (`--expect-restart`).
    pub drains: Option<u64>,
    /// Messages that had been under way then, and were sent again.
    pub resent: Option<u64>,
    /// Bytes of them that the server had been sent, and had not returned when it ended the connection.
    pub bytes_resent: Option<u64>,
    /// How long it was measured: from the end of the warm-up to the last message that came back, or, over
    /// UDP, was sent.
    pub seconds: f64,
    /// Messages a second that came back.
    pub rate: f64,
    /// Bytes that were sent, warm-up included.
    pub bytes_sent: Option<u64>,
    /// Bytes that came back and were right, warm-up included.
    pub bytes_checked: Option<u64>,
    /// Bytes a second that came back and were right.
    pub bytes_per_second: Option<f64>,
    /// Connections that were made.
    pub connects: Option<u64>,
    /// How long messages took: in a closed loop from the moment at which they were sent, in an open
    /// loop from the moment at which they were due.
    pub latency: Distribution,
    /// How long connections took to be made.
    pub connect: Option<Distribution>,
    /// Open loop: how late after the moment at which they were due messages were sent.
    pub lag: Option<Distribution>,
    /// What became of datagrams, of a load over UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<Datagrams>,
    /// How many errors there were, by kind.
    pub errors: Option<BTreeMap<ErrorKind, u64>>,
    /// The first differences between what was sent and what came back.
    pub faults: Vec<Fault>,
    /// Processes of the client that died or had to be ended, and how.
    pub casualties: Vec<String>,
    /// What the load cost the client.
    pub client_cpu: Option<ClientCpu>,
    /// The conditions that were set.
    pub assertions: Vec<Judged>,
    /// The steps of the search of which this is the confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find_rate: Option<Curve>,
    /// What was merged; empty in a report that was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// What became of datagrams. Those of the warm-up are not counted where one that comes says when it was
/// sent. Every datagram that was sent has come back and is one of the `messages`, or is `lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Datagrams {
    /// That were sent.
    pub sent: u64,
    /// That came back, but not within the time limit: they had been counted as lost until then.
    pub late: u64,
    /// That came back behind one that the same socket had sent later (RFC 4737, Type-P-Reordered).
    pub reordered: u64,
    /// Copies of one that had come back.
    pub duplicates: u64,
    /// That came with wrong bytes, or at a socket that had not sent them. One whose right bytes never
    /// come is lost as well.
    pub corrupt: u64,
    /// That came and were nothing of this run.
    pub strangers: u64,
    /// That the system of the client has thrown away, as the socket's buffer was full.
    pub dropped_by_client: u64,
    /// Bytes that each socket's receive buffer was to hold; of several machines, the first one's.
    pub receive_buffer_asked: u64,
    /// Bytes that the system gave it.
    pub receive_buffer_given: u64,
}

/// When messages were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pacing {
    /// A message was sent when another had come back.
    ClosedLoop,
    /// A message was sent when it was due.
    OpenLoop,
}

/// A histogram of times, and what is mostly read off it. All in nanoseconds, to three digits; null
/// where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// How many times it holds.
    pub count: u64,
    /// The shortest.
    pub min_ns: Option<u64>,
    /// The mean.
    pub mean_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// What 90 % did not exceed.
    pub p90_ns: Option<u64>,
    /// What 99 % did not exceed.
    pub p99_ns: Option<u64>,
    /// What 99.9 % did not exceed.
    #[serde(rename = "p99.9_ns")]
    pub p99_9_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
    /// All of it: an HDR histogram (V2, compressed) in base64, as the HDR log format has it.
    #[schemars(with = "String")]
    pub histogram: Times,
}

/// What a load cost the client, in its measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCpu {
    /// CPU time of all processes of the client, user and system.
    pub seconds: f64,
    /// The same a second: how many cores they kept busy.
    pub cores: f64,
    /// The share of one core that the busiest process used, of 1.
    pub busiest_process: f64,
    /// How many cores the machine has; of several machines, all together.
    pub machine_cores: u32,
}

/// A condition, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// As it was typed.
    pub assertion: String,
    /// Whether it holds.
    pub holds: bool,
    /// What the figure came to.
    pub figure: String,
}

/// Rate against latency: the steps of a search, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Curve {
    /// The condition that was to hold, as it was typed.
    pub condition: String,
    /// The highest rate at which it was confirmed, in messages a second; null if there is none.
    pub found: Option<f64>,
    /// The steps, by rate.
    pub steps: Vec<Step>,
}

/// A step of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Messages a second that were due.
    pub asked: f64,
    /// Messages a second that came back.
    pub achieved: f64,
    /// The median latency.
    pub p50_ns: Option<u64>,
    /// The latency that 99 % did not exceed.
    pub p99_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
    /// Whether the figures are to be believed.
    pub verdict: Verdict,
    /// Whether the condition held.
    pub holds: bool,
    /// Why not, or what was wrong with it.
    pub remark: String,
}

/// A report that has been merged into this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The file that it was read from.
    pub file: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// Messages that came back.
    pub messages: u64,
    /// Messages a second.
    pub rate: f64,
    /// What was asked for.
    pub plan: Option<Asked>,
}

impl Judged {
    /// Holds an assertion against a report.
    #[must_use]
    pub fn new(assertion: &Assertion, report: &Report) -> Self {
        let figure = assertion.metric.of(report);
        let shown = figure.map_or_else(|| "unknown".to_owned(), |it| assertion.metric.show(it));
        Self {
            assertion: assertion.to_string(),
            holds: assertion.holds(figure),
            figure: format!("{} is {shown}", assertion.metric),
        }
    }
}

impl From<Times> for Distribution {
    fn from(times: Times) -> Self {
        let nanos = |time: std::time::Duration| {
            (!times.is_empty()).then(|| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        };
        let quantile = |share| nanos(times.quantile(share));
        Self {
            count: times.len(),
            min_ns: nanos(times.min()),
            mean_ns: nanos(times.mean()),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p99_ns: quantile(0.99),
            p99_9_ns: quantile(0.999),
            max_ns: nanos(times.max()),
            histogram: times,
        }
    }
}

/// The schema of [`Report`], as it is committed.
///
/// # Panics
///
/// Never: a schema is a JSON value.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    let mut text = serde_json::to_string_pretty(&schema).expect("a JSON value");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
