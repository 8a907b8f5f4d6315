//! Figures of a load that expects faults.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Comparison of the faults that the server has injected with those that the load has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FaultFigures {
    /// Connections and UDP sockets that were compared.
    pub(crate) connections: u64,
    /// Faults that the server has recorded for them.
    pub(crate) injected: u64,
    /// Faults that were found at their offsets.
    pub(crate) found: u64,
    /// Faults beyond what the client received, or of which it cannot know.
    pub(crate) unobservable: u64,
    /// Disagreements between the fault log and what was observed; 0 is a pass.
    pub(crate) disagreements: u64,
    /// Records of the fault log about other clients.
    pub(crate) of_others: u64,
    /// Faults by their names.
    pub(crate) kinds: BTreeMap<String, KindFigures>,
    /// Seeds of the listeners that injected them.
    pub(crate) seeds: BTreeSet<u64>,
    /// Time by which delayed bytes were later than asked for.
    pub(crate) excess: Option<ExcessFigures>,
    /// First disagreements.
    pub(crate) first_disagreements: Vec<Disagreement>,
}

/// Faults of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct KindFigures {
    /// Faults that were found.
    pub(crate) found: u64,
    /// Faults of which the client cannot know.
    pub(crate) unobservable: u64,
}

/// Time by which bytes were later than their delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ExcessFigures {
    /// Number of delays.
    pub(crate) count: u64,
    /// Median in nanoseconds.
    pub(crate) p50_ns: u64,
    /// 99th percentile in nanoseconds.
    pub(crate) p99_ns: u64,
    /// Maximum in nanoseconds.
    pub(crate) max_ns: u64,
}

/// Disagreement about one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Disagreement {
    /// Local address of the client, by which the fault log names it.
    pub(crate) peer: String,
    /// Seed of the listener's faults; null if the fault log has no record of the connection.
    pub(crate) seed: Option<u64>,
    /// Number of the connection at its listener; null if the fault log has no record of it.
    pub(crate) connection: Option<u64>,
    /// Sentence.
    pub(crate) text: String,
}

impl FaultFigures {
    /// Maximum number of disagreements in the report.
    pub(crate) const MAX_DISAGREEMENTS: usize = 16;

    /// Adds the figures of another report, from this file. Percentiles of a sum are unknown, so the greatest ones stand for them.
    pub(crate) fn merge(&mut self, other: &Self, file: &str) {
        self.connections = self.connections.saturating_add(other.connections);
        self.injected = self.injected.saturating_add(other.injected);
        self.found = self.found.saturating_add(other.found);
        self.unobservable = self.unobservable.saturating_add(other.unobservable);
        self.disagreements = self.disagreements.saturating_add(other.disagreements);
        self.of_others = self.of_others.saturating_add(other.of_others);
        for (name, kind) in &other.kinds {
            let sum = self.kinds.entry(name.clone()).or_default();
            sum.found = sum.found.saturating_add(kind.found);
            sum.unobservable = sum.unobservable.saturating_add(kind.unobservable);
        }
        self.seeds.extend(&other.seeds);
        if let Some(other) = other.excess {
            let sum = self.excess.get_or_insert_default();
            sum.count = sum.count.saturating_add(other.count);
            sum.p50_ns = sum.p50_ns.max(other.p50_ns);
            sum.p99_ns = sum.p99_ns.max(other.p99_ns);
            sum.max_ns = sum.max_ns.max(other.max_ns);
        }
        let room = Self::MAX_DISAGREEMENTS.saturating_sub(self.first_disagreements.len());
        self.first_disagreements.extend(
            other
                .first_disagreements
                .iter()
                .take(room)
                .map(|it| Disagreement { text: format!("{file}: {}", it.text), ..it.clone() }),
        );
    }

    /// Returns them as a sentence.
    pub(crate) fn sentence(&self) -> String {
        let Self { injected, found, unobservable, disagreements, .. } = self;
        let faults = if *injected == 1 { "fault" } else { "faults" };
        let beyond = match unobservable {
            0 => String::new(),
            count => format!("; {count} beyond what was read"),
        };
        format!(
            "{injected} {faults} injected, {found} found at their offsets, {disagreements} others{beyond}"
        )
    }
}
