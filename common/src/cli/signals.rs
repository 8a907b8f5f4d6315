//! Signals that a process inherits as blocked.

use nix::sys::signal::{SigSet, Signal};

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
