//! The service manager: inherited sockets (`sd_listen_fds(3)`), notifications (`sd_notify(3)`), and the
//! watchdog (`sd_watchdog_enabled(3)`).
//!
//! Without a service manager, none of this does anything.

use std::{env, io, process, thread, time::Duration};

use anyhow::{Context as _, bail, ensure};
use common::reason::reason;
use listenfd::ListenFd;
use log::{error, warn};
use sd_notify::NotifyState;
use server::{InheritedSocket, Liveness, rlimit};

use super::notify_socket::NotifySocket;

/// Shortest interval of notifications to the watchdog, whatever limit it sets.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Returns whether a service manager expects notifications.
pub(crate) fn is_present() -> bool {
    matches!(NotifySocket::from_env(), Ok(Some(_)))
}

/// Returns the inherited sockets.
///
/// # Errors
///
/// If the server cannot serve one of them.
pub(crate) fn sockets() -> anyhow::Result<Vec<InheritedSocket>> {
    check_count()?;
    let mut inherited = ListenFd::from_env();
    let mut sockets: Vec<InheritedSocket> = Vec::new();
    for index in 0..inherited.len() {
        let context = || format!("cannot use inherited socket {}", index + 1);
        let socket = socket(&mut inherited, index).with_context(context)?;
        // A listener has one socket: clients that connect to another one would wait forever.
        if let Some(first) = sockets.iter().position(|other| other.endpoint() == socket.endpoint())
        {
            let (address, first) = (socket.endpoint(), first + 1);
            bail!(
                "{}: socket {first} has the address {address} as well; pass one of them",
                context()
            );
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Refuses a `LISTEN_FDS` beyond the limit on descriptors, before memory is allocated for it. The variables may be
/// those of another process (`sd_listen_fds(3)`): then nothing is passed.
fn check_count() -> anyhow::Result<()> {
    let pid = env::var_os("LISTEN_PID").filter(|pid| !pid.is_empty());
    let is_own =
        pid.is_none_or(|pid| pid.to_str().and_then(|pid| pid.parse().ok()) == Some(process::id()));
    let count = env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<usize>().ok());
    let Some(count) = count.filter(|_| is_own) else { return Ok(()) };
    let max = rlimit::max_descriptors();
    ensure!(count <= max, "LISTEN_FDS is {count}, but a process has at most {max} descriptors");
    Ok(())
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
    if !is_present() {
        return;
    }
    spawn("watchdog", move || {
        notify(&[NotifyState::Ready]);
        // A limit of zero disables the watchdog.
        if let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) {
            watch(liveness, limit);
        }
    });
}

/// Runs `task` in a thread: a service manager that does not read its socket blocks the sender.
fn spawn(name: &str, task: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(task) {
        error!("Cannot start a thread for the service manager: {}", reason(&error));
    }
}

/// Notifies the watchdog twice per limit, as its manual advises, while all threads of the server are alive.
/// Without notifications the service manager ends the process, and this thread with it.
fn watch(mut liveness: Liveness, limit: Duration) {
    let interval = (limit / 2).max(SHORTEST_INTERVAL);
    loop {
        if liveness.check() {
            notify(&[NotifyState::Watchdog]);
        } else {
            warn!(event = "stuck"; "A thread of the server is stalled");
        }
        thread::sleep(interval);
    }
}

/// Notifies the service manager that the server shuts down. The notification is sent when this returns, unless the
/// service manager does not read its socket: the shutdown does not wait for it.
pub(crate) fn notify_stopping() {
    let Some(socket) = socket_or_warn() else { return };
    match socket.send(&[NotifyState::Stopping], false) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            spawn("stopping", || notify(&[NotifyState::Stopping]));
        }
        sent => warn_of(sent),
    }
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

fn notify(states: &[NotifyState<'_>]) {
    if let Some(socket) = socket_or_warn() {
        warn_of(socket.send(states, true));
    }
}

fn socket_or_warn() -> Option<NotifySocket> {
    NotifySocket::from_env().unwrap_or_else(|error| {
        warn_of(Err(error));
        None
    })
}

fn warn_of(sent: io::Result<()>) {
    // The server serves without its service manager, so a failure is only logged.
    if let Err(error) = sent {
        warn!(event = "notify"; "Cannot notify the service manager: {}", reason(&error));
    }
}
