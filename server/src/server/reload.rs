//! Reload: applies another configuration to a running server without closing a connection.
//!
//! Limits are values that all threads read. Listeners belong to the acceptor, which receives commands.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use common::{endpoint::Endpoint, reason::reason};
use log::{error, info};
use thiserror::Error;

use super::open_listener::{OpenListener, Policy};
use crate::{
    config::{Config, FixedSetting, Listener},
    listener::{AcceptorControl, BindError, BoundListener, Command, CommandBatch, bind, set_mode},
    shared::{Phase, SharedState},
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
}

/// The next state of a configured listener.
enum Next {
    /// The listener keeps its socket.
    Keep(OpenListener),
    /// The listener has a new socket.
    Open(BoundListener),
    /// The listener is bound after another one has freed its port.
    Postpone,
}

impl Reloader {
    /// The listeners are those of `config`, in its order; `inherited` has the endpoints of inherited sockets.
    pub(super) fn new(
        config: &Config,
        bound: &[BoundListener],
        inherited: &[Endpoint],
        control: Arc<AcceptorControl>,
    ) -> Self {
        let listeners = config.listeners.iter().zip(bound);
        let open = listeners.map(|(listener, bound)| OpenListener {
            is_inherited: inherited.contains(&listener.endpoint),
            ..OpenListener::new(listener, bound)
        });
        Self { first: config.clone(), open: Mutex::new(open.collect()), control }
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
        if shared.phase.get() != Phase::Running {
            return Err(ReloadError::ShuttingDown);
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // The steps that can fail come first, so that either everything changes or nothing.
        let (next, closing) = self.plan(&mut open, &config.listeners)?;
        shared.log_messages.store(config.log_messages, Relaxed);
        shared.drain_timeout.store(config.drain_timeout);
        shared.limits.set(config);
        let commands = self.control.batch();
        for listener in closing {
            close(listener, shared, &commands);
        }
        commands.wait(shared);
        let commands = self.control.batch();
        let mut failed = Vec::new();
        for (listener, next) in config.listeners.iter().zip(next) {
            let bound = match next {
                Next::Keep(kept) => {
                    open.push(change(kept, listener, &commands));
                    continue;
                }
                Next::Open(bound) => Ok(bound),
                Next::Postpone => self.bind(listener),
            };
            match bound {
                Ok(bound) => open.push(begin(listener, bound, shared, &commands)),
                Err(error) => failed.push(ListenerError::Bind(error)),
            }
        }
        commands.wait(shared);
        for listener in open.extract_if(.., |listener| !listener.is_reachable()) {
            failed.push(ListenerError::Register(listener.address));
        }
        Ok(Reloaded { need_restart: self.first.fixed_differences(config).collect(), failed })
    }

    /// Returns the next state of each configured listener, and the open listeners that close. Empties `open`.
    fn plan(
        &self,
        open: &mut Vec<OpenListener>,
        listeners: &[Listener],
    ) -> Result<(Vec<Next>, Vec<OpenListener>), ReloadError> {
        // Each open listener is kept for one configured listener at most.
        let mut unused: Vec<_> = (0..open.len()).collect();
        let keep = |listener: &Listener| {
            let at = unused.iter().position(|&index| open[index].serves(listener))?;
            Some(unused.remove(at))
        };
        let kept: Vec<_> = listeners.iter().map(keep).collect();
        let blocks =
            |listener: &Listener| unused.iter().any(|&index| open[index].shares_port(listener));
        let bound = listeners.iter().zip(&kept).map(|(listener, kept)| match kept {
            Some(_) => Ok(None),
            None => match self.bind(listener) {
                Ok(bound) => Ok(Some(bound)),
                Err(error) if error.is_in_use() && blocks(listener) => Ok(None),
                Err(error) => Err(ReloadError::Bind(error)),
            },
        });
        let bound = bound.collect::<Result<Vec<_>, _>>()?;
        let mut open: Vec<_> = mem::take(open).into_iter().map(Some).collect();
        let mut next = Vec::with_capacity(listeners.len());
        for (kept, bound) in kept.into_iter().zip(bound) {
            next.push(match (kept.and_then(|index| open[index].take()), bound) {
                (Some(open), _) => Next::Keep(open),
                (None, Some(bound)) => Next::Open(bound),
                (None, None) => Next::Postpone,
            });
        }
        Ok((next, open.into_iter().flatten().collect()))
    }

    fn bind(&self, listener: &Listener) -> Result<BoundListener, BindError> {
        bind(listener, self.first.reuse_port, self.first.workers.get())
    }
}

fn close<T>(open: OpenListener, shared: &SharedState<T>, commands: &CommandBatch<'_>) {
    info!(event = "closed-listener", address = open.address;
        "No longer listening on {}", open.address);
    match open.policy {
        Policy::Stream(policy) => commands.push(Command::Close(policy)),
        Policy::Udp(policy) => shared.close_udp(policy, commands.ack()),
    }
}

/// Applies the policy of `listener` to new connections.
fn change(open: OpenListener, listener: &Listener, commands: &CommandBatch<'_>) -> OpenListener {
    if open.listener == *listener {
        return open;
    }
    info!(event = "changed-listener", address = open.address;
        "New connections to {} use the changed settings", open.address);
    if let Endpoint::Unix(path) = &listener.endpoint
        && listener.options.mode != open.listener.options.mode
        && !open.is_inherited
        && let Err(error) = set_mode(path, listener.options.mode)
    {
        error!(event = "not-reloaded";
            "Cannot change the permissions of {}: {}", open.address, reason(&error));
    }
    let policy = match open.policy {
        Policy::Stream(old) => {
            let new = Arc::new(old.changed_to(listener));
            commands.push(Command::Change(old, Arc::clone(&new)));
            Policy::Stream(new)
        }
        Policy::Udp(policy) => {
            policy.set_rate(listener.options.rate);
            Policy::Udp(policy)
        }
    };
    OpenListener { listener: listener.clone(), policy, ..open }
}

/// Starts serving a listener that was just bound.
fn begin<T>(
    listener: &Listener,
    bound: BoundListener,
    shared: &SharedState<T>,
    commands: &CommandBatch<'_>,
) -> OpenListener {
    let open = OpenListener::new(listener, &bound);
    info!(event = "started", address = open.address;
        "Echo server started on {}", open.address);
    match bound {
        BoundListener::Stream(stream) => commands.push(Command::Open(stream)),
        BoundListener::Udp(udp) => shared.open_udp(udp),
    }
    open
}
