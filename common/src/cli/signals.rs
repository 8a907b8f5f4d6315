//! Signals whose default or inherited treatment suits neither program.

use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};
use signal_hook::{consts::SIGXFSZ, flag};

/// Unblocks `SIGHUP`, `SIGINT` and `SIGTERM` in the calling thread and in those that it starts: with signals that
/// the parent has blocked, only `SIGKILL` would end the program (`signal(7)`, "Signal mask and pending signals").
pub fn unblock() {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        signals.add(signal);
    }
    // Fails for an invalid argument only.
    let _ = signals.thread_unblock();
}

/// Handles `SIGXFSZ`, and does nothing then: a write beyond the limit on file sizes (`ulimit -f`) fails with `EFBIG`,
/// which is reported, where the signal would end the program without a message.
pub fn survive_file_size_limit() {
    // Fails for an invalid signal only.
    let _ = flag::register(SIGXFSZ, Arc::default());
}
