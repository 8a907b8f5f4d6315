//! The end of the run: requested by Ctrl+C, by the clock, or by an actor that has failed.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// Flag that all threads share. Once raised, all actors stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Raises the flag at SIGINT and SIGTERM.
    pub(crate) fn raise_on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let stop = self.clone();
        thread::spawn(move || signals.forever().for_each(|_| stop.raise()));
        Ok(())
    }

    /// Raises the flag.
    pub(crate) fn raise(&self) {
        *self.lock() = true;
        self.0.1.notify_all();
    }

    /// Returns true if the flag is raised.
    pub(crate) fn is_raised(&self) -> bool {
        *self.lock()
    }

    /// Waits until the flag is raised, at most for `max`. Returns true if it is raised.
    pub(crate) fn wait(&self, max: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.lock(), max, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // No code that holds the lock can panic.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
