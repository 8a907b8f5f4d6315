//! What was asked of a load, as its report repeats it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::{
    ipc::wire::{Pace, Stop},
    plan::Plan,
};
use crate::net::target::Target;

/// Everything that was asked of a load, so that it can be run again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// `HOST:PORT`
    pub server: String,
    /// How many processes.
    pub processes: u32,
    /// Connections of each.
    pub connections: u32,
    /// How long to measure; null if `messages` says when it is over.
    pub duration_seconds: Option<f64>,
    /// How many messages each connection was to send; null if `duration_seconds` says when it is over.
    pub messages: Option<u64>,
    /// The fewest bytes of a message, newline included.
    pub min_size: u32,
    /// The most.
    pub max_size: u32,
    /// Closed loop: how many messages each connection has under way.
    pub pipeline: Option<u32>,
    /// Open loop: messages a second, of all processes together.
    pub rate: Option<f64>,
    /// After how many messages to connect anew.
    pub churn: Option<u64>,
    /// Whether the server was allowed to end connections.
    pub expect_restart: bool,
    /// What was not counted at the beginning.
    pub warmup_seconds: f64,
    /// How long connecting might take, and how long bytes that are owed might stay away.
    pub timeout_seconds: f64,
    /// What the payload is made from.
    pub seed: u64,
}

impl Asked {
    /// Of this server.
    #[must_use]
    pub fn new(target: &Target, plan: &Plan) -> Self {
        let (duration_seconds, messages) = match plan.stop {
            Stop::After(time) => (Some(time.as_secs_f64()), None),
            Stop::Messages(messages) => (None, Some(messages)),
        };
        let (pipeline, rate) = match plan.pace {
            Pace::Depth(depth) => (Some(depth), None),
            Pace::Rate(rate) => (None, Some(rate)),
        };
        Self {
            server: target.to_string(),
            processes: plan.processes,
            connections: plan.connections,
            duration_seconds,
            messages,
            min_size: plan.sizes.min,
            max_size: plan.sizes.max,
            pipeline,
            rate,
            churn: plan.churn,
            expect_restart: plan.expect_restart,
            warmup_seconds: plan.warmup.as_secs_f64(),
            timeout_seconds: target.timeout.as_secs_f64(),
            seed: plan.seed,
        }
    }
}
