//! The registry of listeners.

use std::sync::{Arc, Mutex, PoisonError};

use super::listener::{ListenerCounters, ListenerMetrics};

/// The counters of every listener that the server has or had. A listener that a reload closes and opens again goes on with
/// its counters.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    workers: usize,
    listeners: Mutex<Vec<Arc<ListenerMetrics>>>,
}

impl Registry {
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, listeners: Mutex::default() }
    }

    /// Returns the counters of a listener, which are new for a new address or protocol.
    pub(crate) fn listener(&self, address: &str, protocol: &'static str) -> Arc<ListenerMetrics> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |listener: &&Arc<ListenerMetrics>| {
            listener.address == address && listener.protocol == protocol
        };
        if let Some(listener) = listeners.iter().find(is_same) {
            return Arc::clone(listener);
        }
        let listener = Arc::new(ListenerMetrics::new(address.to_owned(), protocol, self.workers));
        listeners.push(Arc::clone(&listener));
        listener
    }

    /// Returns the counters of all listeners, in the order of their first opening.
    pub(crate) fn listeners(&self) -> Vec<Arc<ListenerMetrics>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the counters of the listeners that are or were open.
    #[cfg(feature = "admin")]
    pub(crate) fn opened(&self) -> Vec<Arc<ListenerMetrics>> {
        self.listeners().into_iter().filter(|listener| listener.was_open()).collect()
    }

    /// Returns the sum of one counter over all listeners and threads.
    pub(crate) fn sum(&self, of: impl Fn(&ListenerCounters) -> u64) -> u64 {
        let sums = self.listeners().into_iter().map(|listener| listener.sum(&of));
        sums.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_opens_again_goes_on_with_its_counters() {
        let registry = Registry::new(2);
        let first = registry.listener("127.0.0.1:7", "text");
        first.worker(0).bytes_sent.add(1);
        first.worker(1).bytes_sent.add(2);
        registry.listener("127.0.0.1:7", "raw").worker(1).bytes_sent.add(4);
        drop(first);
        let again = registry.listener("127.0.0.1:7", "text");
        assert_eq!(again.sum(|counters| counters.bytes_sent.get()), 3);
        assert_eq!(registry.sum(|counters| counters.bytes_sent.get()), 7);
        assert_eq!(registry.listeners().len(), 2);
    }
}
