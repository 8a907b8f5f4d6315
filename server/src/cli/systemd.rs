//! The service manager: inherited sockets (`sd_listen_fds(3)`), notifications (`sd_notify(3)`), and the
//! watchdog (`sd_watchdog_enabled(3)`).
//!
//! Without a service manager, none of this does anything.

use std::{io, thread, time::Duration};

use anyhow::{Context as _, bail};
use common::reason::reason;
use listenfd::ListenFd;
use log::{error, warn};
use sd_notify::NotifyState;
use server::{InheritedSocket, Liveness};

/// Returns whether a service manager expects notifications.
pub(crate) fn is_present() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Returns the inherited sockets.
///
/// # Errors
///
/// If the server cannot serve one of them.
pub(crate) fn sockets() -> anyhow::Result<Vec<InheritedSocket>> {
    let mut inherited = ListenFd::from_env();
    (0..inherited.len())
        .map(|index| {
            socket(&mut inherited, index)
                .with_context(|| format!("cannot use inherited socket {}", index + 1))
        })
        .collect()
}

fn socket(inherited: &mut ListenFd, index: usize) -> anyhow::Result<InheritedSocket> {
    if let Ok(Some(listener)) = inherited.take_tcp_listener(index) {
        return InheritedSocket::tcp(listener).map_err(|error| with_advice(&error));
    }
    if let Ok(Some(listener)) = inherited.take_unix_listener(index) {
        return InheritedSocket::unix(listener).map_err(|error| with_advice(&error));
    }
    if let Ok(Some(socket)) = inherited.take_udp_socket(index) {
        return InheritedSocket::udp(socket).map_err(|error| with_advice(&error));
    }
    bail!(
        "it is not a TCP, UDP or Unix stream socket; see ListenStream= and ListenDatagram= in \
         systemd.socket(5)"
    )
}

fn with_advice(error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{}; with systemd, set Accept=no", reason(error))
}

/// Notifies the service manager that the server is ready, and then, if a watchdog is enabled, that it is alive.
pub(crate) fn notify_ready(liveness: Liveness) {
    spawn("watchdog", move || {
        notify(&[NotifyState::Ready]);
        if let Some(limit) = sd_notify::watchdog_enabled() {
            watch(liveness, limit);
        }
    });
}

/// Runs `task` in a thread: a service manager that does not read its socket blocks the sender.
fn spawn(name: &str, task: impl FnOnce() + Send + 'static) {
    if !is_present() {
        return;
    }
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(task) {
        error!("Cannot start a thread for the service manager: {}", reason(&error));
    }
}

/// Notifies the watchdog twice per limit, as its manual advises, while all threads of the server are alive.
/// Without notifications the service manager ends the process, and this thread with it.
fn watch(mut liveness: Liveness, limit: Duration) {
    loop {
        if liveness.check() {
            notify(&[NotifyState::Watchdog]);
        } else {
            warn!(event = "stuck"; "A thread of the server is stalled");
        }
        thread::sleep(limit / 2);
    }
}

/// Notifies the service manager that the server shuts down.
pub(crate) fn notify_stopping() {
    spawn("stopping", || notify(&[NotifyState::Stopping]));
}

/// Notifies the service manager that a reload begins; [`notify_reloaded`] must follow.
pub(crate) fn notify_reloading() {
    // By the time the service manager distinguishes this reload from earlier ones (`Type=notify-reload`).
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// Notifies the service manager that a reload is complete.
pub(crate) fn notify_reloaded() {
    notify(&[NotifyState::Ready]);
}

fn notify(state: &[NotifyState<'_>]) {
    // A service manager that cannot be reached will notice by itself.
    if let Err(error) = sd_notify::notify(state) {
        warn!(event = "notify"; "Cannot notify the service manager: {}", reason(&error));
    }
}
