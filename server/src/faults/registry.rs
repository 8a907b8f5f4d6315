//! The faults of all open listeners.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use common::endpoint::{Endpoint, Url};

use super::listener::ListenerFaults;
use crate::config::Listener;

/// The faults of the open listeners. The admin listener reads and changes them.
#[derive(Debug, Default)]
pub(crate) struct FaultRegistry {
    listeners: Mutex<Vec<OpenListenerFaults>>,
    /// Number of changes of faults. Workers compare it with the last one that they have seen.
    changes: AtomicUsize,
}

/// The faults of an open listener, whether or not it has any now.
#[derive(Clone, Debug)]
pub(crate) struct OpenListenerFaults {
    /// The address as the log names it.
    pub(crate) address: String,
    /// The endpoint with its actual port.
    pub(crate) endpoint: Endpoint,
    /// The listener as it is configured.
    pub(crate) listener: Listener,
    pub(crate) faults: Arc<ListenerFaults>,
}

impl OpenListenerFaults {
    /// Returns whether this is its name: the address as the log has it, or a URL of the endpoint in any spelling.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.address == name
            || self.endpoint.to_string() == name
            || name.parse().is_ok_and(|Url { endpoint, .. }| endpoint == self.endpoint)
    }

    /// Returns whether both are addresses of one listener, which share its faults.
    #[cfg(feature = "admin")]
    pub(crate) fn is_same_listener(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.faults, &other.faults)
    }
}

impl FaultRegistry {
    /// Replaces the list of the open listeners. A listener that is no longer among them loses its faults.
    pub(crate) fn publish(&self, listeners: Vec<OpenListenerFaults>) {
        let mut open = self.lock();
        let before = std::mem::replace(&mut *open, listeners);
        let is_open = |faults| open.iter().any(|open| Arc::ptr_eq(&open.faults, faults));
        for closed in before.iter().filter(|listener| !is_open(&listener.faults)) {
            closed.faults.clear();
        }
        drop(open);
        self.count_change();
    }

    /// Returns the open listeners.
    pub(crate) fn listeners(&self) -> Vec<OpenListenerFaults> {
        self.lock().clone()
    }

    /// Records that the faults of a listener have changed.
    pub(crate) fn count_change(&self) {
        self.changes.fetch_add(1, SeqCst);
    }

    /// Returns whether faults have changed since `seen`.
    pub(crate) fn has_changed(&self, seen: &mut usize) -> bool {
        let changes = self.changes.load(SeqCst);
        std::mem::replace(seen, changes) != changes
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OpenListenerFaults>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use common::endpoint::HostPort;

    use super::*;

    fn open(endpoint: &Endpoint) -> OpenListenerFaults {
        let listener = Listener::new(endpoint.clone());
        let address = listener.options.address(endpoint);
        let (endpoint, faults) = (endpoint.clone(), Arc::default());
        OpenListenerFaults { address, endpoint, listener, faults }
    }

    #[test]
    fn a_listener_is_named_by_its_address_and_by_each_spelling_of_its_url() {
        let at = |host: &str, port| HostPort { host: host.to_owned(), port };
        let tcp = Endpoint::Tcp(at("127.0.0.1", 7));
        let six = Endpoint::Tcp(at("::1", 7));
        let udp = Endpoint::Udp(at("127.0.0.1", 7));
        let unix = Endpoint::Unix("/run/echo 1.sock".into());
        for (endpoint, names) in [
            (&tcp, &["127.0.0.1:7", "tcp://127.0.0.1:7", "TCP://127.0.0.1:7"][..]),
            (&six, &["[::1]:7", "tcp://[::1]:7"]),
            (&udp, &["udp://127.0.0.1:7"]),
            (
                &unix,
                &[
                    "unix:///run/echo 1.sock",
                    "unix:/run/echo%201.sock",
                    "unix:///run/echo%201.sock",
                ],
            ),
        ] {
            for name in names {
                assert!(open(endpoint).is_named(name), "{name}");
                let others =
                    [&tcp, &six, &udp, &unix].into_iter().filter(|other| *other != endpoint);
                assert_eq!(others.filter(|other| open(other).is_named(name)).count(), 0, "{name}");
            }
        }
    }
}
