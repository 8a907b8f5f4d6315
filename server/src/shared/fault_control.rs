//! Changes of the faults of listeners at run time, and their lines in the log.

use std::{sync::Arc, time::Instant};

use log::info;

use super::state::SharedState;
use crate::{
    config::Faults,
    faults::{FaultyListener, ListenerFaults},
};

impl<T> SharedState<T> {
    /// Makes the open listeners known to those who change faults, after a change of the listeners.
    pub(crate) fn publish_faults(&self, listeners: Vec<FaultyListener>) {
        self.faults.publish(listeners);
        self.dispatch.wake_all();
    }

    /// Sets the faults of a listener for its new and its open connections. `None` clears them.
    pub(crate) fn set_faults(&self, listener: &FaultyListener, faults: Option<&Arc<Faults>>) {
        let had_faults = listener.faults.get().is_some();
        listener.faults.set(faults, Instant::now());
        self.faults.count_change();
        self.dispatch.wake_all();
        let address = &listener.address;
        if !log_faults(address, Some(&listener.faults)) && had_faults {
            info!(event = "faults-cleared", listener = address;
                "{address} injects no faults any more");
        }
    }
}

/// Logs the faults that a listener has now, with their seed. Returns whether it has any.
pub(crate) fn log_faults(address: &str, faults: Option<&Arc<ListenerFaults>>) -> bool {
    let Some(injector) = faults.and_then(|faults| faults.get()) else { return false };
    let seed = injector.seed();
    // With the seed, so that the text is the query of a URL that has the same faults again.
    let faults = Faults { seed: Some(seed), ..injector.faults().clone() }.to_string();
    info!(event = "faults-set", listener = address, faults, seed;
        "{address} injects faults on purpose: {faults}");
    true
}
