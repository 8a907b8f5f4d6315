//! The answers of the admin listener as plain data. Unknown fields are ignored, so that a newer server can be shown.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer};

/// The answer of `/status`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) started: Option<String>,
    pub(super) uptime_seconds: Option<f64>,
    pub(super) phase: String,
    pub(super) is_live: bool,
    #[serde(default)]
    pub(super) stalled_threads: Vec<String>,
    pub(super) is_ready: bool,
    #[serde(default)]
    pub(super) not_ready: Vec<String>,
    pub(super) connections: Connections,
    #[serde(default)]
    pub(super) listeners: Vec<Listener>,
    #[serde(default)]
    pub(super) workers: Vec<Worker>,
    #[serde(default)]
    pub(super) dispatch_queue: DispatchQueue,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) rates: Rates,
    #[serde(default)]
    pub(super) log: Log,
    pub(super) history: Option<History>,
    pub(super) rooms: Option<Rooms>,
    pub(super) relay: Option<Relay>,
    pub(super) descriptors: Option<Descriptors>,
    #[serde(default)]
    pub(super) panics: u64,
}

/// Connections of the whole server.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Connections {
    pub(super) open: u64,
    pub(super) limit: Option<u64>,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    #[serde(default)]
    pub(super) probes: u64,
}

/// A listener and its counters.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listener {
    #[serde(rename = "listener")]
    pub(super) name: String,
    pub(super) protocol: String,
    #[serde(default)]
    pub(super) open: u64,
    #[serde(default)]
    pub(super) accepted: u64,
    #[serde(default)]
    pub(super) refused: Reasons,
    #[serde(default)]
    pub(super) closed: Reasons,
    #[serde(default)]
    pub(super) received: Volume,
    #[serde(default)]
    pub(super) sent: Volume,
    pub(super) latency: Option<Latency>,
    #[serde(default = "yes")]
    pub(super) is_open: bool,
}

/// Counts by reason.
pub(super) type Reasons = BTreeMap<String, u64>;

/// Bytes and messages of a direction.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Volume {
    pub(super) bytes: u64,
    pub(super) messages: u64,
}

/// Time from the beginning of a turn to the last byte of its echoes.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Latency {
    pub(super) p50_seconds: Option<f64>,
    pub(super) p99_seconds: Option<f64>,
}

/// A worker and its load.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Worker {
    #[serde(rename = "worker")]
    pub(super) number: u64,
    #[serde(default)]
    pub(super) connections: u64,
    #[serde(default)]
    pub(super) busy_seconds: f64,
    #[serde(default)]
    pub(super) busy_ratio: f64,
    #[serde(default)]
    pub(super) iterations: u64,
}

/// Connections between the acceptor and the workers.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct DispatchQueue {
    pub(super) connections: u64,
}

/// Changes per second over an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Rates {
    pub(super) interval_seconds: f64,
    pub(super) accepted: f64,
    pub(super) received: VolumeRate,
    pub(super) sent: VolumeRate,
}

/// Bytes and messages of a direction per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(super) struct VolumeRate {
    pub(super) bytes: f64,
    pub(super) messages: f64,
}

/// Records of the log.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Log {
    pub(super) records: u64,
    pub(super) dropped: u64,
}

/// Messages of the history.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct History {
    pub(super) recorded: u64,
    pub(super) dropped: u64,
    #[serde(default)]
    pub(super) waiting: u64,
}

/// Rooms of this server.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Rooms {
    #[serde(rename = "rooms")]
    pub(super) open: u64,
    pub(super) members: u64,
    pub(super) deliveries: u64,
    pub(super) dropped: u64,
}

/// The connection to Redis.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Relay {
    pub(super) is_up: bool,
}

/// Descriptors of the process.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Descriptors {
    pub(super) open: Option<u64>,
    pub(super) limit: Option<u64>,
}

/// The answer of `/connections`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Page {
    pub(super) connections: Vec<Connection>,
}

/// A connection.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Connection {
    pub(super) peer: String,
    pub(super) user: Option<String>,
    pub(super) listener: String,
    #[serde(default)]
    pub(super) worker: u64,
    #[serde(default)]
    pub(super) age_seconds: f64,
    #[serde(default)]
    pub(super) idle_seconds: f64,
    #[serde(default)]
    pub(super) received: Volume,
    #[serde(default)]
    pub(super) sent: Volume,
    #[serde(default)]
    pub(super) unsent_bytes: u64,
}

impl Status {
    /// Returns why the server is not healthy; nothing if it is.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.is_live {
            problems.push(match &self.stalled_threads[..] {
                [] => "not live".to_owned(),
                threads => format!("not live: stalled: {}", threads.join(", ")),
            });
        }
        if !self.is_ready {
            problems.push(match &self.not_ready[..] {
                [] => "not ready".to_owned(),
                reasons => format!("not ready: {}", reasons.join("; ")),
            });
        }
        problems
    }

    /// Returns whether an earlier status is one of the same run of the server.
    fn continues(&self, earlier: &Self) -> bool {
        self.uptime_seconds >= earlier.uptime_seconds
            && self.connections.accepted >= earlier.connections.accepted
    }

    /// Returns the rates since an earlier status, which is this old; `None` if it is not one of the same run of the server.
    pub(super) fn rates_since(&self, earlier: &Self, age: Duration) -> Option<Rates> {
        let seconds = age.as_secs_f64();
        if age.is_zero() || !self.continues(earlier) {
            return None;
        }
        let per_second = |now: u64, before: u64| ratio(now.saturating_sub(before), seconds);
        // The numbers are those of a peer.
        let total = |status: &Self, of: fn(&Listener) -> u64| {
            status.listeners.iter().map(of).fold(0, u64::saturating_add)
        };
        let rate = |of: fn(&Listener) -> u64| per_second(total(self, of), total(earlier, of));
        Some(Rates {
            interval_seconds: seconds,
            accepted: per_second(self.connections.accepted, earlier.connections.accepted),
            received: VolumeRate {
                bytes: rate(|listener| listener.received.bytes),
                messages: rate(|listener| listener.received.messages),
            },
            sent: VolumeRate {
                bytes: rate(|listener| listener.sent.bytes),
                messages: rate(|listener| listener.sent.messages),
            },
        })
    }

    /// Replaces the busy shares of the workers by those since an earlier status of the same run.
    pub(super) fn set_busy_since(&mut self, earlier: &Self, age: Duration) {
        let seconds = age.as_secs_f64();
        if age.is_zero() || !self.continues(earlier) {
            return;
        }
        for worker in &mut self.workers {
            let before = earlier.workers.iter().find(|before| before.number == worker.number);
            if let Some(before) = before {
                worker.busy_ratio =
                    ((worker.busy_seconds - before.busy_seconds) / seconds).clamp(0.0, 1.0);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
fn ratio(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn yes() -> bool {
    true
}

/// The first interval of a server has no rates yet.
fn null_as_default<'de, D: Deserializer<'de>>(from: D) -> Result<Rates, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
