//! Data for the endpoints.

use std::{cell::OnceCell, sync::Arc};

use super::{health::Health, rates::Rates};
use crate::{
    connection::{Incoming, Socket},
    metrics::{ListenerMetrics, ProcessStats},
    shared::SharedState,
};

/// The state of the server that a request is about. What takes time is read when an endpoint first asks for it, and once.
pub(super) struct Context<'a> {
    pub(super) shared: &'a SharedState<Incoming<Socket>>,
    pub(super) health: &'a Health,
    pub(super) rates: &'a Rates,
    listeners: OnceCell<Vec<Arc<ListenerMetrics>>>,
    process: OnceCell<ProcessStats>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        shared: &'a SharedState<Incoming<Socket>>,
        health: &'a Health,
        rates: &'a Rates,
    ) -> Self {
        Self { shared, health, rates, listeners: OnceCell::new(), process: OnceCell::new() }
    }

    /// Returns the counters of the listeners that are or were open.
    pub(super) fn listeners(&self) -> &[Arc<ListenerMetrics>] {
        self.listeners.get_or_init(|| self.shared.counters.listeners.opened())
    }

    /// Returns the figures of the process.
    pub(super) fn process(&self) -> &ProcessStats {
        self.process.get_or_init(ProcessStats::read)
    }
}
