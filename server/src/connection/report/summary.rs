//! A connection in a list.

use std::time::Instant;

use serde::Serialize;

use crate::connection::{connection::Connection, stream::Stream};
#[cfg(feature = "login")]
use crate::login::Account;

/// A connection at one moment, as JSON has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    connection: String,
    peer: Box<str>,
    user: Option<String>,
    listener: String,
    protocol: &'static str,
    /// In order from the socket.
    layers: Vec<&'static str>,
    stage: &'static str,
    /// From 1, as the names of the threads.
    worker: usize,
    age_seconds: f64,
    idle_seconds: f64,
    received: Traffic,
    sent: Traffic,
    unsent_bytes: usize,
    /// The seed of its faults; absent without faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault_seed: Option<u64>,
    /// Its number among the connections with these faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault_connection: Option<u64>,
}

/// What has passed in one direction.
#[derive(Clone, Copy, Debug, Serialize)]
struct Traffic {
    bytes: u64,
    messages: u64,
}

impl<S: Stream> Connection<S> {
    /// Returns what a list shows of the connection, which belongs to the worker with this index.
    pub(crate) fn summarize(&mut self, worker: usize, now: Instant) -> Summary {
        #[cfg(feature = "rooms")]
        let delivered = self.delivered();
        #[cfg(not(feature = "rooms"))]
        let delivered = None;
        let (messages_received, messages_sent) = self.count_messages(delivered);
        let receipt = &self.totals;
        let faults = self.fault_id();
        Summary {
            connection: self.id.to_string(),
            peer: self.peer.clone(),
            user: self.user().map(str::to_owned),
            listener: self.permit.policy().counters.address.clone(),
            protocol: self.options().protocol_name(),
            layers: self.layer_names().names().collect(),
            stage: self.stage.name(),
            worker: worker + 1,
            age_seconds: now.saturating_duration_since(receipt.opened_at).as_secs_f64(),
            idle_seconds: now.saturating_duration_since(self.last_activity).as_secs_f64(),
            received: Traffic { bytes: receipt.bytes_received, messages: messages_received },
            sent: Traffic { bytes: receipt.bytes_sent, messages: messages_sent },
            unsent_bytes: self.unsent(),
            fault_seed: faults.map(|faults| faults.seed),
            fault_connection: faults.map(|faults| faults.connection),
        }
    }

    /// Returns the user who has logged in.
    #[cfg_attr(not(feature = "login"), expect(clippy::unused_self, reason = "there is no login"))]
    pub(super) fn user(&self) -> Option<&str> {
        #[cfg(feature = "login")]
        return self.permit.account().map(Account::name);
        #[cfg(not(feature = "login"))]
        None
    }
}
