//! Configuration of one worker process.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{login::Credentials, tls::TlsOptions, websocket};

/// Work of one worker process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkerConfig {
    /// Server to connect to.
    pub(crate) server: Server,
    /// Options of TLS, over a stream.
    pub(crate) tls: Option<TlsOptions>,
    /// Login on each connection. The pipe to the process is the only place where a password leaves the coordinator.
    pub(crate) login: Option<Credentials>,
    /// Options of WebSocket, over a stream.
    pub(crate) websocket: Option<websocket::Options>,
    /// Local addresses to connect from, in turn; if empty, the system chooses.
    pub(crate) sources: Vec<IpAddr>,
    /// Index of this process, from 0.
    pub(crate) process: u32,
    /// Number of processes.
    pub(crate) processes: u32,
    /// Connections of each process. They are numbered over all processes: the first of this one is
    /// `process * connections`.
    pub(crate) connections: u32,
    /// Seed of the payload.
    pub(crate) seed: u64,
    /// Minimum size of a message in bytes, including its newline.
    pub(crate) min_size: u32,
    /// Maximum size of a message in bytes.
    pub(crate) max_size: u32,
    /// When messages are sent.
    pub(crate) pace: Pace,
    /// When the run ends.
    pub(crate) stop: Stop,
    /// Messages that are sent within this time from the start are checked, but neither counted nor timed.
    pub(crate) warmup: Duration,
    /// Number of messages after which a connection is replaced.
    pub(crate) churn: Option<u64>,
    /// The server may end connections, which are then made again.
    pub(crate) expect_restart: bool,
    /// Connections are observed: the server injects faults.
    pub(crate) expects_faults: bool,
    /// Each connection ends with a receipt of the server, and is compared with it.
    pub(crate) expects_receipt: bool,
    /// Limit for a connection to be made, and for missing bytes to arrive.
    pub(crate) timeout: Duration,
    /// The connections are members of a room, over a stream.
    pub(crate) room: Option<RoomConfig>,
}

/// Load of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomConfig {
    /// Members that send, of all processes together. Sender `s` is in process `s` modulo the number of processes, among its
    /// first members.
    pub(crate) senders: u32,
    /// Framing of a stream. Over WebSocket, the messages are JSON objects.
    pub(crate) framing: Framing,
    /// Room to join; `None` stays in the one that the server chooses.
    pub(crate) name: Option<String>,
}

/// Framing of the events and messages of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Framing {
    /// A frame of the `length` protocol each.
    #[default]
    Length,
    /// A line each.
    Text,
}

/// Part of one process in the sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendingShare {
    /// Index of this process among those that send.
    pub(crate) process: u32,
    /// Number of processes that send.
    pub(crate) processes: u32,
    /// Number of channels of this process that send: its first ones.
    pub(crate) channels: u32,
}

impl WorkerConfig {
    /// Returns the part of this process in the sending; `None` if it only receives.
    pub(crate) fn sending_share(&self) -> Option<SendingShare> {
        let Self { process, processes, connections: channels, .. } = *self;
        let Some(room) = &self.room else {
            return Some(SendingShare { process, processes, channels });
        };
        let others = room.senders.checked_sub(process + 1)?;
        let processes = processes.min(room.senders);
        Some(SendingShare { process, processes, channels: 1 + others / self.processes })
    }
}

/// Address of a server, and its transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Server {
    /// TCP stream.
    Tcp(SocketAddr),
    /// Unix stream, by its path, or by a NUL and its abstract name. It may not be UTF-8: JSON holds its bytes.
    Unix(OsString),
    /// UDP datagrams.
    Udp(SocketAddr),
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pace {
    /// Closed loop: each connection has this many messages in flight, and sends the next when one has
    /// returned.
    Depth(u32),
    /// Open loop: this many messages per second, of all processes together, independent of what returns.
    Rate(f64),
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stop {
    /// After this time from the end of the warm-up.
    After(Duration),
    /// After each connection has sent this many messages, without those of the warm-up.
    Messages(u64),
}
