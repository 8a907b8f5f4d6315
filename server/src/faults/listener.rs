//! The faults of a listener.

use std::{
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Instant,
};

use super::injector::Injector;
use crate::config::Faults;

/// The faults that a listener has now. They outlive a change of its other options.
///
/// New faults hold for new connections and for open ones; both have a plan of the present [`Injector`].
#[derive(Debug, Default)]
pub(crate) struct ListenerFaults {
    /// Invariant: it is true if and only if there is an injector.
    has_any: AtomicBool,
    injector: Mutex<Option<Arc<Injector>>>,
}

impl ListenerFaults {
    /// Creates the faults of a new listener.
    pub(crate) fn new(faults: Option<&Arc<Faults>>, now: Instant) -> Self {
        let listener = Self::default();
        listener.set(faults, now);
        listener
    }

    /// Replaces the faults. `None`, and faults without rules, clear them.
    pub(crate) fn set(&self, faults: Option<&Arc<Faults>>, now: Instant) {
        let faults = faults.filter(|faults| !faults.rules.is_empty());
        let Some(faults) = faults else { return self.clear() };
        let mut injector = self.injector.lock().unwrap_or_else(PoisonError::into_inner);
        *injector = Some(Arc::new(Injector::new(Arc::clone(faults), now)));
        self.has_any.store(true, SeqCst);
    }

    /// Returns true if the present faults are this same object.
    pub(crate) fn has(&self, faults: Option<&Arc<Faults>>) -> bool {
        let injector = self.get();
        let present = injector.as_ref().map(|injector| ptr::from_ref(injector.faults()));
        present == faults.map(Arc::as_ptr)
    }

    /// Clears the faults.
    pub(crate) fn clear(&self) {
        let mut injector = self.injector.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_any.store(false, SeqCst);
        *injector = None;
    }

    /// Returns whether there are any.
    pub(crate) fn has_any(&self) -> bool {
        self.has_any.load(SeqCst)
    }

    /// Returns the present faults.
    pub(crate) fn get(&self) -> Option<Arc<Injector>> {
        if !self.has_any() {
            return None;
        }
        self.injector.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
