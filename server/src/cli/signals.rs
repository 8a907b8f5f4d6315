//! Signals: drain, stop, reload.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::SeqCst},
    },
    thread,
};

use common::cli::{signals::unblock, status};
use server::Handle;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{reload_signal::ReloadSignal, systemd};

/// The signal that stopped the server immediately, if there was one.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopSignal(Arc<AtomicI32>);

impl StopSignal {
    pub(crate) fn get(&self) -> Option<i32> {
        Some(self.0.load(SeqCst)).filter(|&signal| signal != 0)
    }
}

/// Signals that are collected from the start of the process, before the server can handle them.
pub(crate) struct EarlySignals {
    signals: Signals,
    /// The process was started with `SIGHUP` ignored, as `nohup` does.
    is_hangup_ignored: bool,
}

impl EarlySignals {
    /// Begins to collect `SIGHUP`, which then does not end the process: a reload that is requested while the
    /// server starts takes place when it is ready.
    ///
    /// # Errors
    ///
    /// If the system refuses to install a handler.
    pub(crate) fn collect() -> io::Result<Self> {
        unblock();
        let is_hangup_ignored = is_hangup_ignored();
        Ok(Self { signals: Signals::new([SIGHUP])?, is_hangup_ignored })
    }

    /// Starts a thread that handles signals; it ends with the process. If there is nothing to reload, `SIGHUP`
    /// means the end of the terminal and drains the server, as `SIGTERM` does, unless it was ignored at the
    /// start.
    ///
    /// # Errors
    ///
    /// If the system refuses a handler or a thread.
    pub(crate) fn handle(
        mut self,
        handle: Handle,
        reload: ReloadSignal<impl Fn() + Send + 'static>,
    ) -> io::Result<StopSignal> {
        let reload = reload.is_useful().then(|| reload.start()).transpose()?;
        self.signals.handle().add_signal(SIGINT)?;
        self.signals.handle().add_signal(SIGTERM)?;
        let stop_signal = StopSignal::default();
        let stopped_by = stop_signal.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut stop_signals = 0;
            for signal in self.signals.forever() {
                match &reload {
                    // The thread that receives this ends with the process.
                    Some(reload) if signal == SIGHUP => _ = reload.send(()),
                    None if signal == SIGHUP && self.is_hangup_ignored => {}
                    _ => {
                        stop_signals += 1;
                        stop(stop_signals, signal, &handle, &stopped_by);
                    }
                }
            }
        })?;
        Ok(stop_signal)
    }
}

/// Handles the `count`th signal to stop.
fn stop(count: u32, signal: i32, handle: &Handle, stopped_by: &StopSignal) {
    match count {
        1 => {
            // First, since an idle server may end as soon as it shuts down.
            systemd::notify_stopping();
            handle.shutdown();
        }
        2 => {
            stopped_by.0.store(signal, SeqCst);
            handle.stop();
        }
        // Does not even wait for the log.
        _ => std::process::exit(status::signalled(signal).into()),
    }
}

/// Returns whether the process ignores `SIGHUP`. Without /proc the answer is no.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}
