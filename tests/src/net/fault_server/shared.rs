//! State that all connections share: counts, and a message of another connection.

use std::{
    sync::{Condvar, Mutex, MutexGuard},
    time::Instant,
};

use crate::wait::DEADLINE;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) started: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Number of bytes returned, over all connections.
    pub(super) sent: u64,
    /// First message of a connection without a fault.
    pub(super) message: Option<Vec<u8>>,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self { started: Instant::now(), state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `find` returns a value for the state.
    pub(super) fn wait_for<T>(&self, mut find: impl FnMut(&State) -> Option<T>) -> T {
        let mut found = None;
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), DEADLINE, |state| {
                found = find(state);
                found.is_none()
            })
            .expect("no thread panics while it holds the lock");
        found.expect("clients send what the test waits for before the deadline")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the lock")
    }
}
