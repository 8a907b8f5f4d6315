//! What signals mean to the server: leave, leave at once, read everything anew.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering::SeqCst},
    },
    thread,
};

use server::Handle;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{hangup::Hangup, systemd};

/// The signal that ended the server at once, if one did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended(Arc<AtomicI32>);

impl Ended {
    pub(crate) fn by(&self) -> Option<i32> {
        Some(self.0.load(SeqCst)).filter(|&signal| signal != 0)
    }
}

/// From now on `SIGHUP` does not end the process: whoever has it read its settings anew need not know that
/// it has only just begun to read them.
///
/// # Errors
///
/// If the system does not let us.
pub(crate) fn survive_hangup() -> io::Result<()> {
    signal_hook::flag::register(SIGHUP, Arc::default()).map(drop)
}

/// Listens for signals in a thread of its own, which ends with the process. If a hangup means nothing to the
/// settings, it means the end of the terminal, and the server leaves as it does for `SIGTERM`.
pub(crate) fn listen(
    handle: Handle,
    hangup: Hangup<impl Fn() + Send + 'static>,
) -> io::Result<Ended> {
    let again = hangup.means_something().then(|| hangup.start()).transpose()?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let ended = Ended::default();
    let by = ended.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked = 0;
        for signal in signals.forever() {
            if let (SIGHUP, Some(again)) = (signal, &again) {
                // Its thread ends only with the process.
                let _ = again.send(());
                continue;
            }
            asked += 1;
            match asked {
                1 => {
                    handle.shutdown();
                    systemd::stopping();
                }
                2 => {
                    by.0.store(signal, SeqCst);
                    handle.stop();
                }
                // Not even the log is waited for.
                _ => std::process::exit(common::status::signalled(signal).into()),
            }
        }
    })?;
    Ok(ended)
}
