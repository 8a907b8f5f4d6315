//! What a service manager passes and wants to hear: sockets that listen already (`sd_listen_fds(3)`), when
//! the server is ready and when it stops (`sd_notify(3)`), and signs of life (`sd_watchdog_enabled(3)`).
//!
//! Without one, nothing of this does anything.

use std::{io, thread, time::Duration};

use anyhow::{Context as _, bail};
use common::reason::reason;
use listenfd::ListenFd;
use log::{error, warn};
use sd_notify::NotifyState;
use server::{Inherited, Pulse};

/// Whether somebody wants to hear of us.
pub(crate) fn is_there() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The sockets that were passed.
///
/// # Errors
///
/// If one is not what can be served.
pub(crate) fn sockets() -> anyhow::Result<Vec<Inherited>> {
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|at| {
            socket(&mut passed, at)
                .with_context(|| format!("cannot use socket {} of those that were passed", at + 1))
        })
        .collect()
}

fn socket(passed: &mut ListenFd, at: usize) -> anyhow::Result<Inherited> {
    if let Ok(Some(listener)) = passed.take_tcp_listener(at) {
        return Inherited::tcp(listener).map_err(|error| said(&error));
    }
    if let Ok(Some(listener)) = passed.take_unix_listener(at) {
        return Inherited::unix(listener).map_err(|error| said(&error));
    }
    if let Ok(Some(socket)) = passed.take_udp_socket(at) {
        return Inherited::udp(socket).map_err(|error| said(&error));
    }
    bail!(
        "it is none of TCP, UDP and a Unix stream; see ListenStream= and ListenDatagram= in \
         systemd.socket(5)"
    )
}

fn said(error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}; with systemd it takes Accept=no", reason(error))
}

/// Says that clients are served, and keeps saying so as often as the service manager wants to hear it.
pub(crate) fn ready(pulse: Pulse) {
    aside("watchdog", move || {
        notify(&[NotifyState::Ready]);
        if let Some(limit) = sd_notify::watchdog_enabled() {
            watch(pulse, limit);
        }
    });
}

/// In a thread of its own: a service manager that does not listen makes whoever tells it something wait.
fn aside(name: &str, tell: impl FnOnce() + Send + 'static) {
    if !is_there() {
        return;
    }
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(tell) {
        error!("Cannot start a thread for the service manager: {}", reason(&error));
    }
}

/// Twice in the time in which it must be heard, as the manual advises. Who is stuck is not heard, and then
/// the service manager ends the process; this thread ends with it.
fn watch(mut pulse: Pulse, limit: Duration) {
    loop {
        if pulse.beats() {
            notify(&[NotifyState::Watchdog]);
        } else {
            warn!(event = "stuck"; "A thread of the server does not go round");
        }
        thread::sleep(limit / 2);
    }
}

/// Says that the server has been asked to leave.
pub(crate) fn stopping() {
    aside("stopping", || notify(&[NotifyState::Stopping]));
}

/// Says that the configuration is read anew; [`reloaded`] must follow.
pub(crate) fn reloading() {
    // The time is how a service manager tells this reload from one before (`Type=notify-reload`).
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// Says that it has been.
pub(crate) fn reloaded() {
    notify(&[NotifyState::Ready]);
}

fn notify(state: &[NotifyState<'_>]) {
    // A service manager that cannot be reached will find out by itself.
    if let Err(error) = sd_notify::notify(state) {
        warn!(event = "notify"; "Cannot tell the service manager: {}", reason(&error));
    }
}
