//! The end of a soak: raised by Ctrl+C, by the clock, or by a peer that has something to report.

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

/// Whether it is time to leave; all threads look at the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Has everybody leave, if a signal asks for it.
    pub(crate) fn raise_on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let stop = self.clone();
        thread::spawn(move || signals.forever().for_each(|_| stop.raise()));
        Ok(())
    }

    /// Has everybody leave.
    pub(crate) fn raise(&self) {
        *self.lock() = true;
        self.0.1.notify_all();
    }

    /// Whether it is time to leave.
    pub(crate) fn is_raised(&self) -> bool {
        *self.lock()
    }

    /// Waits for so long, or until it is time to leave: whether it is.
    pub(crate) fn wait(&self, most: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.lock(), most, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // Nothing that holds the lock can panic.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
