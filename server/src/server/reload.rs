//! Reload: applies another configuration to a running server without closing a connection.
//!
//! Limits are values that all threads read. Listeners belong to the acceptor, which receives commands.

use std::sync::{Arc, Mutex, PoisonError};

use common::{endpoint::Endpoint, reason::reason};
use log::{error, info};
use thiserror::Error;

use super::{
    open_listener::OpenListener,
    plan::{Next, Plan},
};
use crate::{
    config::{Config, FixedSetting, Listener},
    listener::{
        AcceptorControl, Address, BindError, Binder, BoundListener, Command, CommandBatch, Policy,
        set_mode,
    },
    shared::{FaultSource, Phase, SharedState, log_faults},
};

/// Applies configurations to one server; owns the list of its open listeners.
#[derive(Debug)]
pub(super) struct Reloader {
    /// The configuration at the start. Settings that need a restart keep these values.
    first: Config,
    open: Mutex<Vec<OpenListener>>,
    control: Arc<AcceptorControl>,
}

/// Reason why a reload has changed nothing.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// A listener cannot be opened.
    #[error("{0}; nothing has changed")]
    Bind(BindError),
    /// The server drains or has stopped.
    #[error("the server is shutting down; nothing has changed")]
    ShuttingDown,
}

/// Result of a reload that has changed the server.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reloaded {
    /// Changed settings that need a restart.
    pub need_restart: Vec<FixedSetting>,
    /// Listeners that could not be opened after the others had changed. The next reload tries again.
    pub failed: Vec<ListenerError>,
}

/// Reason why a listener of a reload is not open.
#[derive(Debug, Error)]
pub enum ListenerError {
    /// It cannot be bound although another was closed to free its port.
    #[error("{0}; the listener that had its port is closed")]
    Bind(BindError),
    /// The system refuses to poll it.
    #[error("cannot listen on {0}: the system refuses to poll it")]
    Register(String),
    /// Someone has removed the file of its Unix socket during the reload.
    #[error("cannot listen on {0}: the file of the socket was removed during the reload")]
    Removed(String),
}

impl Reloader {
    pub(super) fn new<T>(
        config: &Config,
        open: Vec<OpenListener>,
        control: Arc<AcceptorControl>,
        shared: &SharedState<T>,
    ) -> Self {
        publish_faults(&open, shared);
        Self { first: config.clone(), open: Mutex::new(open), control }
    }

    /// Applies `config` as far as a running server can.
    ///
    /// # Errors
    ///
    /// If a listener cannot be opened, or the server shuts down; then nothing has changed.
    pub(super) fn reload<T>(
        &self,
        shared: &SharedState<T>,
        config: &Config,
    ) -> Result<Reloaded, ReloadError> {
        if shared.phase.get() != Phase::Running || shared.is_leaving() {
            return Err(ReloadError::ShuttingDown);
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let binder = Binder::new(&self.first, &shared.counters.listeners);
        // The steps that can fail come first, so that either everything changes or nothing.
        let plan = Plan::new(&mut open, &config.listeners, binder).map_err(ReloadError::Bind)?;
        let recording = shared.recording.load().with_log(config.log_messages);
        shared.recording.store(recording.with_receipts(config.log_receipts));
        shared.drain_delay.store(config.drain_delay);
        #[cfg(feature = "admin")]
        shared.set_settings(config);
        shared.drain_timeout.store(config.drain_timeout);
        shared.limits.set(config);
        // The workers look for connections of removed users.
        #[cfg(feature = "login")]
        shared.dispatch.wake_all();
        let commands = self.control.batch();
        for listener in plan.closing {
            close(listener, shared, &commands);
        }
        commands.wait(shared);
        let commands = self.control.batch();
        let mut failed = Vec::new();
        for (listener, sockets) in plan.next {
            let (opened, errors) = execute(listener, sockets, binder, shared, &commands);
            open.extend(opened);
            failed.extend(errors);
        }
        commands.wait(shared);
        failed.extend(self.close_unreachable(&mut open, shared));
        publish_faults(&open, shared);
        Ok(Reloaded { need_restart: self.first.fixed_differences(config).collect(), failed })
    }

    /// Closes the listeners that clients cannot reach. Some workers may serve a UDP listener that another worker could
    /// not register; its address must be free for the next reload, which opens the listener again.
    fn close_unreachable<T>(
        &self,
        open: &mut Vec<OpenListener>,
        shared: &SharedState<T>,
    ) -> Vec<ListenerError> {
        let commands = self.control.batch();
        let mut errors = Vec::new();
        for listener in open.extract_if(.., |listener| !listener.is_reachable()) {
            let address = listener.address.clone();
            errors.push(if listener.has_failed() {
                ListenerError::Register(address)
            } else {
                ListenerError::Removed(address)
            });
            close(listener, shared, &commands);
        }
        commands.wait(shared);
        errors
    }
}

/// Publishes the open listeners with their faults.
fn publish_faults<T>(open: &[OpenListener], shared: &SharedState<T>) {
    shared.publish_faults(open.iter().map(OpenListener::open_listener_faults).collect());
}

/// Opens and changes the sockets of a listener.
fn execute<T>(
    listener: &Listener,
    sockets: Vec<Next>,
    binder: Binder<'_>,
    shared: &SharedState<T>,
    commands: &CommandBatch<'_>,
) -> (Vec<OpenListener>, Vec<ListenerError>) {
    let sibling = sockets.iter().find_map(Next::sibling);
    let (mut opened, mut errors, mut postponed) = (Vec::new(), Vec::new(), Vec::new());
    for next in sockets {
        match next {
            Next::Keep(kept) => opened.push(change(kept, listener, binder, shared, commands)),
            Next::Open(address, bound) => {
                opened.push(begin(listener, address, bound, shared, commands));
            }
            Next::Postpone(address) => postponed.push(address),
        }
    }
    let bound = binder.bind(listener, &postponed, sibling.as_ref());
    for (address, bound) in postponed.into_iter().zip(bound) {
        match bound {
            Ok(bound) => opened.push(begin(listener, address, bound, shared, commands)),
            Err(error) => errors.push(ListenerError::Bind(error)),
        }
    }
    (opened, errors)
}

fn close<T>(open: OpenListener, shared: &SharedState<T>, commands: &CommandBatch<'_>) {
    info!(event = "closed-listener", address = open.address;
        "No longer listening on {}", open.address);
    open.policy.counters().set_open(false);
    match open.policy {
        Policy::Stream(policy) => {
            commands.push(Command::Close(policy));
        }
        Policy::Udp(policy) => {
            shared.close_udp(policy, commands.ack());
        }
    }
}

/// Applies the policy of `listener` to new connections, and its faults to all.
fn change<T>(
    open: OpenListener,
    listener: &Listener,
    binder: Binder<'_>,
    shared: &SharedState<T>,
    commands: &CommandBatch<'_>,
) -> OpenListener {
    let faults = listener.options.faults.as_ref();
    // Otherwise faults that were set at run time stay.
    let has_new_faults = open.listener.options.faults.as_ref() != faults;
    let changed = change_policy(open, listener, binder, commands);
    let target = changed.open_listener_faults();
    // The addresses of a listener share their faults.
    if has_new_faults && !target.faults.has(faults) {
        shared.set_faults(&target, faults, FaultSource::Settings);
    }
    changed
}

/// Applies the policy of `listener` to new connections.
fn change_policy(
    open: OpenListener,
    listener: &Listener,
    binder: Binder<'_>,
    commands: &CommandBatch<'_>,
) -> OpenListener {
    let mut before = open.listener.options.clone();
    before.faults.clone_from(&listener.options.faults);
    if before == listener.options {
        return OpenListener { listener: listener.clone(), ..open };
    }
    if let Endpoint::Unix(path) = &listener.endpoint
        && listener.options.mode != open.listener.options.mode
        && !open.is_inherited()
        && let Err(error) = set_mode(path, listener.options.mode)
    {
        error!(event = "not-reloaded";
            "Cannot change the permissions of {}: {}", open.address, reason(&error));
    }
    let mut address = open.address;
    let policy = match open.policy {
        Policy::Stream(old) => {
            // The same ones, unless its scheme or protocol has changed.
            let counters = binder.counters(listener, &open.endpoint);
            if !Arc::ptr_eq(&counters, &old.counters) {
                old.counters.set_open(false);
                counters.set_open(true);
            }
            let new = Arc::new(old.changed_to(listener, counters));
            commands.push(Command::Change(old, Arc::clone(&new)));
            // Its scheme may have changed.
            address = new.options.address(&open.endpoint);
            Policy::Stream(new)
        }
        Policy::Udp(policy) => {
            policy.set_rate(listener.options.rate);
            Policy::Udp(policy)
        }
    };
    info!(event = "changed-listener", address;
        "New connections to {address} use the changed settings");
    OpenListener { listener: listener.clone(), policy, address, ..open }
}

/// Starts serving a listener that was just bound.
fn begin<T>(
    listener: &Listener,
    requested: Address,
    bound: BoundListener,
    shared: &SharedState<T>,
    commands: &CommandBatch<'_>,
) -> OpenListener {
    let open = OpenListener::new(listener, Some(requested), &bound);
    info!(event = "started", address = open.address;
        "Echo server started on {}", open.address);
    log_faults(&open.address, open.policy.faults(), FaultSource::Settings);
    bound.policy().counters().set_open(true);
    match bound {
        BoundListener::Stream(stream) => commands.push(Command::Open(stream)),
        BoundListener::Udp(udp) => shared.open_udp(udp),
    }
    open
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, sync::atomic::Ordering::SeqCst, thread};

    use common::endpoint::HostPort;

    use super::*;
    use crate::{
        shared::{WorkerMessage, fixture::shared_state},
        udp::UdpPolicy,
    };

    #[test]
    fn a_udp_listener_that_one_worker_cannot_serve_closes_in_the_others() {
        let (shared, _acceptor, mut workers) = shared_state::<()>(2);
        let mut run = |serve: fn(&UdpPolicy)| {
            let (_, messages) = workers.remove(0);
            thread::spawn(move || {
                let message = messages.recv().unwrap();
                let WorkerMessage::OpenUdp(socket) = message else { panic!("{message:?}") };
                serve(socket.policy());
            })
        };
        let serving = run(|policy| {
            while !policy.is_closing() {
                thread::yield_now();
            }
        });
        let refusing = run(|policy| policy.has_failed.store(true, SeqCst));
        let mut config = Config { workers: NonZeroUsize::new(2).unwrap(), ..Config::default() };
        config.listeners.clear();
        let reloader = Reloader::new(&config, Vec::new(), Arc::default(), &shared);
        let at = HostPort { host: "127.0.0.1".to_owned(), port: 0 };
        config.listeners.push(Listener::new(Endpoint::Udp(at)));
        reloader.reload(&shared, &config).unwrap();
        refusing.join().unwrap();
        let mut open = reloader.open.lock().unwrap_or_else(PoisonError::into_inner);
        reloader.close_unreachable(&mut open, &shared);
        assert!(open.is_empty());
        serving.join().unwrap();
    }
}
