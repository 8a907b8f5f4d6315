//! Signals: drain, stop, reload.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::SeqCst},
    },
    thread,
};

use common::cli::status;
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

/// Makes `SIGHUP` harmless until the server handles it: a reload that is requested while the server starts
/// must not end it.
///
/// # Errors
///
/// If the system refuses to install the handler.
pub(crate) fn ignore_reload_until_ready() -> io::Result<()> {
    signal_hook::flag::register(SIGHUP, Arc::default()).map(drop)
}

/// Starts a thread that handles signals; it ends with the process. If there is nothing to reload, `SIGHUP`
/// means the end of the terminal and drains the server, as `SIGTERM` does.
pub(crate) fn listen(
    handle: Handle,
    reload: ReloadSignal<impl Fn() + Send + 'static>,
) -> io::Result<StopSignal> {
    let reload = reload.is_useful().then(|| reload.start()).transpose()?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let stop_signal = StopSignal::default();
    let stopped_by = stop_signal.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut stop_signals = 0;
        for signal in signals.forever() {
            if let (SIGHUP, Some(reload)) = (signal, &reload) {
                // The thread that receives this ends with the process.
                let _ = reload.send(());
                continue;
            }
            stop_signals += 1;
            match stop_signals {
                1 => {
                    handle.shutdown();
                    systemd::notify_stopping();
                }
                2 => {
                    stopped_by.0.store(signal, SeqCst);
                    handle.stop();
                }
                // Does not even wait for the log.
                _ => std::process::exit(status::signalled(signal).into()),
            }
        }
    })?;
    Ok(stop_signal)
}
