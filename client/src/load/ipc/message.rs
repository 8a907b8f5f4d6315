//! Messages after the configuration, in both directions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observation::Observation;
use crate::load::stats::{counters::Stats, error_kind::ErrorKind};

/// Interval at which a running worker reports.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum number of observations in a message: each may have 100 KB.
pub(crate) const MAX_OBSERVATIONS: usize = 32;

/// Command of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Start the load: all processes are connected.
    Start,
    /// Send nothing new, wait for the messages in flight, and report.
    Stop,
}

/// Message of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WorkerMessage {
    /// All connections are made; the worker waits for [`Command::Start`].
    Ready,
    /// Statistics since the previous message, at least every [`REPORT_INTERVAL`].
    Progress(Progress),
    /// Observations of connections and sockets that have ended, at most [`MAX_OBSERVATIONS`].
    Observed(Vec<Observation>),
    /// End of the work.
    Done(Summary),
    /// The worker cannot continue, and exits.
    Failed {
        /// Kind of the failure.
        kind: ErrorKind,
        /// Error number of the system, if there is one (`errno(3)`).
        errno: Option<i32>,
        /// Description of the failure.
        text: String,
    },
}

/// Statistics of a running worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Statistics since the previous message.
    pub(crate) stats: Stats,
    /// Time of the previous message, from the end of the warm-up; `None` in the warm-up.
    pub(crate) since: Option<Duration>,
    /// Number of connections that are open.
    pub(crate) connections: u64,
}

/// Last message of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Statistics since the previous message.
    pub(crate) stats: Stats,
    /// Time of the previous message, from the end of the warm-up; `None` in the warm-up.
    pub(crate) since: Option<Duration>,
    /// Time from the end of the warm-up to the last message that returned; over UDP, that returned or was
    /// sent.
    pub(crate) measured: Duration,
    /// Time from the end of the warm-up to the end of all work, without the final wait for lost messages.
    pub(crate) worked: Duration,
    /// User and system CPU time in `worked`.
    pub(crate) cpu: Duration,
    /// Part of it that TLS took.
    pub(crate) tls_cpu: Duration,
}
