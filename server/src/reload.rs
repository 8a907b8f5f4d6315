//! Another configuration for a server that runs: what can change does, and nobody who is connected
//! notices.
//!
//! What threads look at is changed where they look. Listeners are the acceptor's, which is sent commands.

use std::{
    convert::Infallible,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, Sender},
    },
};

use common::{endpoint::Endpoint, reason::reason};
use crossbeam::queue::SegQueue;
use log::{error, info};
use thiserror::Error;

use crate::{
    bind::{BindError, bind},
    config::{Config, Listener},
    datagram::Rules,
    limits,
    listening::{Bound, Listening},
    phase::Phase,
    shared::Shared,
    socket_file::set_mode,
    terms::Terms,
};

/// What a server was told, and what the acceptor has yet to hear of it.
#[derive(Debug)]
pub(crate) struct Control {
    /// Of this, what cannot change is still so.
    first: Config,
    open: Mutex<Vec<Open>>,
    commands: SegQueue<(Command, Ack)>,
}

/// A listener that is open.
#[derive(Debug)]
struct Open {
    listener: Listener,
    /// Where it listens: with the port that it has.
    endpoint: Endpoint,
    /// As the log names it.
    address: String,
    terms: Held,
    /// Its socket is somebody else's: nothing can be changed about it, and it cannot be bound anew.
    is_passed: bool,
}

/// What holds for whoever comes: also what a listener is known by.
#[derive(Debug)]
enum Held {
    /// To the acceptor.
    Stream(Arc<Terms>),
    /// To the workers.
    Datagram(Arc<Rules>),
}

/// What the acceptor is to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept from this one as well.
    Open(Listening),
    /// Who comes to the listener with the first terms comes on the second from now on.
    Change(Arc<Terms>, Arc<Terms>),
    /// Accept who has come to the listener with these terms, and close it.
    Close(Arc<Terms>),
}

/// Dropped when a command has been executed, for whoever waits for that.
#[derive(Debug)]
pub(crate) struct Ack {
    _sender: Sender<Infallible>,
}

/// Commands that are to be executed before anything else is done.
struct Commands<'a, T> {
    shared: &'a Shared<T>,
    ack: Sender<Infallible>,
    acked: Receiver<Infallible>,
}

impl<'a, T> Commands<'a, T> {
    fn to(shared: &'a Shared<T>) -> Self {
        let (ack, acked) = mpsc::channel();
        Self { shared, ack, acked }
    }

    fn push(&self, command: Command) {
        self.shared.control.commands.push((command, Ack { _sender: self.ack.clone() }));
    }

    /// Waits until all are executed. An acceptor that cannot do that in time is short of everything; what
    /// comes of it then, the log will say.
    fn wait(self) {
        drop(self.ack);
        self.shared.handoff.wake_all();
        let _ = self.acked.recv_timeout(limits::COMMANDS);
    }
}

impl Control {
    /// A server was told `config`, and these are its listeners, in the configuration's order; those at
    /// `passed` have the sockets that it was passed.
    pub(crate) fn new(config: &Config, bound: &[Bound], passed: &[Endpoint]) -> Self {
        let listeners = config.listeners.iter().zip(bound);
        let open = listeners.map(|(listener, bound)| Open {
            is_passed: passed.contains(&listener.endpoint),
            ..Open::new(listener, bound)
        });
        let open = open.collect();
        Self { first: config.clone(), open: Mutex::new(open), commands: SegQueue::new() }
    }

    /// Drops the commands that came too late, and with them the sockets that were to be listened on.
    pub(crate) fn clear(&self) {
        while self.commands.pop().is_some() {}
    }

    fn bind(&self, listener: &Listener) -> Result<Bound, BindError> {
        bind(listener, self.first.reuse_port, self.first.workers.get())
    }

    /// What the acceptor has to do next.
    pub(crate) fn next_command(&self) -> Option<(Command, Ack)> {
        self.commands.pop()
    }
}

impl Open {
    fn new(listener: &Listener, bound: &Bound) -> Self {
        let terms = match bound {
            Bound::Stream(listening) => Held::Stream(Arc::clone(&listening.terms)),
            Bound::Datagram(listener) => Held::Datagram(Arc::clone(&listener.rules)),
        };
        Self {
            listener: listener.clone(),
            endpoint: bound.endpoint().clone(),
            address: bound.address(),
            terms,
            is_passed: false,
        }
    }

    /// Whether this is what is asked for, apart from its terms.
    fn is_at(&self, listener: &Listener) -> bool {
        if self.is_passed {
            self.listener.endpoint == listener.endpoint
        } else {
            self.listener.is_same_place(listener)
        }
    }

    /// Whether both cannot be had at once, it may be.
    fn shares_port(&self, listener: &Listener) -> bool {
        match (&self.endpoint, &listener.endpoint) {
            (Endpoint::Tcp(one), Endpoint::Tcp(other))
            | (Endpoint::Udp(one), Endpoint::Udp(other)) => one.port == other.port,
            _ => false,
        }
    }
}

/// Why a server is not as it was asked to be.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// A listener cannot be had, so nothing has changed.
    #[error("{0}; everything stays as it is")]
    Unchanged(BindError),
    /// One that another had to be closed for cannot be had. Everything else has changed.
    #[error("{0}; the listener in whose place it was to be is closed, the rest is as asked")]
    Partly(BindError),
}

/// What becomes of a listener.
enum Next {
    /// It goes on with the socket that it has.
    Keep(Open),
    /// It has a new one.
    Open(Bound),
    /// One that is to go has to go first.
    Postpone,
}

/// Has a server be as `config` says, as far as it can while it runs, and returns the names of what it
/// cannot change.
///
/// # Errors
///
/// A listener cannot be had.
pub(crate) fn reload<T>(
    shared: &Shared<T>,
    config: &Config,
) -> Result<Vec<&'static str>, ReloadError> {
    if shared.phase.get() != Phase::Running {
        return Ok(Vec::new());
    }
    let control = &shared.control;
    let mut open = control.open.lock().unwrap_or_else(PoisonError::into_inner);
    // First what can fail, so that all or nothing changes.
    let (next, gone) = plan(control, &mut open, &config.listeners)?;
    shared.log_messages.store(config.log_messages, Relaxed);
    shared.drain_timeout.store(config.drain_timeout);
    shared.open.limit(config);
    let commands = Commands::to(shared);
    for open in gone {
        close(open, &commands);
    }
    commands.wait();
    let commands = Commands::to(shared);
    let mut failed = None;
    for (listener, next) in config.listeners.iter().zip(next) {
        let bound = match next {
            Next::Keep(kept) => {
                open.push(change(kept, listener, &commands));
                continue;
            }
            Next::Open(bound) => Ok(bound),
            Next::Postpone => control.bind(listener),
        };
        match bound {
            Ok(bound) => open.push(begin(listener, bound, &commands)),
            Err(error) => failed = Some(error),
        }
    }
    commands.wait();
    failed.map_or_else(
        || Ok(control.first.fixed_differences(config).collect()),
        |error| Err(ReloadError::Partly(error)),
    )
}

/// What becomes of each listener, and which of those that are open go; those are taken out of `open`.
fn plan(
    control: &Control,
    open: &mut Vec<Open>,
    listeners: &[Listener],
) -> Result<(Vec<Next>, Vec<Open>), ReloadError> {
    // Of those that are open, whose each is: no two have the same.
    let mut left: Vec<_> = (0..open.len()).collect();
    let kept = |listener: &Listener| {
        let at = left.iter().position(|&at| open[at].is_at(listener))?;
        Some(left.remove(at))
    };
    let kept: Vec<_> = listeners.iter().map(kept).collect();
    let is_in_the_way = |listener: &Listener| left.iter().any(|&at| open[at].shares_port(listener));
    let bound = listeners.iter().zip(&kept).map(|(listener, kept)| match kept {
        Some(_) => Ok(None),
        None => match control.bind(listener) {
            Ok(bound) => Ok(Some(bound)),
            Err(error) if error.is_in_use() && is_in_the_way(listener) => Ok(None),
            Err(error) => Err(ReloadError::Unchanged(error)),
        },
    });
    let bound = bound.collect::<Result<Vec<_>, _>>()?;
    let mut open: Vec<_> = mem::take(open).into_iter().map(Some).collect();
    let mut next = Vec::with_capacity(listeners.len());
    for (kept, bound) in kept.into_iter().zip(bound) {
        next.push(match (kept.and_then(|at| open[at].take()), bound) {
            (Some(open), _) => Next::Keep(open),
            (None, Some(bound)) => Next::Open(bound),
            (None, None) => Next::Postpone,
        });
    }
    Ok((next, open.into_iter().flatten().collect()))
}

fn close<T>(open: Open, commands: &Commands<'_, T>) {
    info!(event = "closed-listener", address = open.address;
        "No longer listening on {}", open.address);
    match open.terms {
        Held::Stream(terms) => commands.push(Command::Close(terms)),
        Held::Datagram(rules) => commands.shared.withdraw(rules, commands.ack.clone()),
    }
}

/// Has those who come from now on come on these terms.
fn change<T>(open: Open, listener: &Listener, commands: &Commands<'_, T>) -> Open {
    if open.listener == *listener {
        return open;
    }
    info!(event = "changed-listener", address = open.address;
        "Who comes to {} comes on new terms", open.address);
    if let Endpoint::Unix(path) = &listener.endpoint
        && listener.mode != open.listener.mode
        && !open.is_passed
        && let Err(error) = set_mode(path, listener.mode)
    {
        error!(event = "not-reloaded";
            "Cannot change who may use {}: {}", open.address, reason(&error));
    }
    let terms = match open.terms {
        Held::Stream(old) => {
            let new = Arc::new(old.renewed(listener));
            commands.push(Command::Change(old, Arc::clone(&new)));
            Held::Stream(new)
        }
        Held::Datagram(rules) => {
            rules.set_rate(listener.rate);
            Held::Datagram(rules)
        }
    };
    Open { listener: listener.clone(), terms, ..open }
}

/// Has whoever comes there served.
fn begin<T>(listener: &Listener, bound: Bound, commands: &Commands<'_, T>) -> Open {
    let open = Open::new(listener, &bound);
    info!(event = "started", address = open.address;
        "Echo server started on {}", open.address);
    match bound {
        Bound::Stream(listening) => commands.push(Command::Open(listening)),
        Bound::Datagram(listener) => commands.shared.serve(listener),
    }
    open
}
