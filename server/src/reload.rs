//! Another configuration for a server that runs: what can change does, and nobody who is connected
//! notices.
//!
//! What threads look at is changed where they look. Listeners are the acceptor's, which is sent orders.

use std::{
    convert::Infallible,
    fs::{self, Permissions},
    mem,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, Sender},
    },
};

use common::{endpoint::Endpoint, reason::reason};
use crossbeam::queue::SegQueue;
use log::{error, info};

use crate::{
    bind::bind,
    config::{Config, Listener},
    datagram::Rules,
    limits,
    listening::{Bound, Listening},
    phase::Phase,
    shared::Shared,
    terms::Terms,
};

/// What a server was told, and what the acceptor has yet to hear of it.
#[derive(Debug)]
pub(crate) struct Told {
    /// Of this, what cannot change is still so.
    first: Config,
    open: Mutex<Vec<Open>>,
    orders: SegQueue<(Order, Done)>,
}

/// A listener that is open.
#[derive(Debug)]
struct Open {
    listener: Listener,
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
pub(crate) enum Order {
    /// Accept from this one as well.
    Open(Listening),
    /// Who comes to the listener with the first terms comes on the second from now on.
    Change(Arc<Terms>, Arc<Terms>),
    /// Accept who has come to the listener with these terms, and close it.
    Close(Arc<Terms>),
}

/// Dropped when an order has been obeyed, for whoever waits for that.
#[derive(Debug)]
pub(crate) struct Done {
    _told: Sender<Infallible>,
}

/// Orders that are to be obeyed before anything else is done.
struct Orders<'a, T> {
    shared: &'a Shared<T>,
    told: Sender<Infallible>,
    obeyed: Receiver<Infallible>,
}

impl<'a, T> Orders<'a, T> {
    fn to(shared: &'a Shared<T>) -> Self {
        let (told, obeyed) = mpsc::channel();
        Self { shared, told, obeyed }
    }

    fn push(&self, order: Order) {
        self.shared.told.orders.push((order, Done { _told: self.told.clone() }));
    }

    /// Waits until all are obeyed. An acceptor that cannot do that in time is short of everything; what
    /// comes of it then, the log will say.
    fn wait(self) {
        drop(self.told);
        self.shared.handoff.wake_all();
        let _ = self.obeyed.recv_timeout(limits::ORDERS);
    }
}

impl Told {
    /// A server was told `config`, and these are its listeners, in the configuration's order; those at
    /// `passed` have the sockets that it was passed.
    pub(crate) fn new(config: &Config, bound: &[Bound], passed: &[Endpoint]) -> Self {
        let listeners = config.listeners.iter().zip(bound);
        let open = listeners.map(|(listener, bound)| Open {
            is_passed: passed.contains(&listener.endpoint),
            ..Open::new(listener, bound)
        });
        let open = open.collect();
        Self { first: config.clone(), open: Mutex::new(open), orders: SegQueue::new() }
    }

    /// Drops the orders that came too late, and with them the sockets that were to be listened on.
    pub(crate) fn clear(&self) {
        while self.orders.pop().is_some() {}
    }

    /// What the acceptor has to do next.
    pub(crate) fn next_order(&self) -> Option<(Order, Done)> {
        self.orders.pop()
    }
}

impl Open {
    fn new(listener: &Listener, bound: &Bound) -> Self {
        let terms = match bound {
            Bound::Stream(listening) => Held::Stream(Arc::clone(&listening.terms)),
            Bound::Datagram(listener) => Held::Datagram(Arc::clone(&listener.rules)),
        };
        Self { listener: listener.clone(), address: bound.address(), terms, is_passed: false }
    }

    /// Whether this is what is asked for, apart from its terms.
    fn is_at(&self, listener: &Listener) -> bool {
        if self.is_passed {
            self.listener.endpoint == listener.endpoint
        } else {
            self.listener.is_same_place(listener)
        }
    }
}

/// Has a server be as `config` says, as far as it can while it runs, and returns the names of what it
/// cannot change.
pub(crate) fn reload<T>(shared: &Shared<T>, config: &Config) -> Vec<&'static str> {
    if shared.phase.get() != Phase::Running {
        return Vec::new();
    }
    let told = &shared.told;
    let mut open = told.open.lock().unwrap_or_else(PoisonError::into_inner);
    shared.log_messages.store(config.log_messages, Relaxed);
    shared.drain_timeout.store(config.drain_timeout);
    shared.open.limit(config);
    // Each goes on with the socket that it has, if it has one; no two with the same.
    let mut gone = mem::take(&mut *open);
    let kept = |listener: &Listener| {
        let at = gone.iter().position(|open| open.is_at(listener))?;
        Some(gone.remove(at))
    };
    let kept: Vec<_> = config.listeners.iter().map(kept).collect();
    // First, so that others can have their addresses.
    let orders = Orders::to(shared);
    for open in gone {
        close(open, &orders);
    }
    orders.wait();
    let orders = Orders::to(shared);
    for (listener, kept) in config.listeners.iter().zip(kept) {
        open.extend(match kept {
            Some(open) => Some(change(open, listener, &orders)),
            None => listen(listener, &orders),
        });
    }
    orders.wait();
    told.first.fixed_differences(config).collect()
}

fn close<T>(open: Open, orders: &Orders<'_, T>) {
    info!(event = "closed-listener", address = open.address;
        "No longer listening on {}", open.address);
    match open.terms {
        Held::Stream(terms) => orders.push(Order::Close(terms)),
        Held::Datagram(rules) => orders.shared.withdraw(rules, orders.told.clone()),
    }
}

/// Has those who come from now on come on these terms.
fn change<T>(open: Open, listener: &Listener, orders: &Orders<'_, T>) -> Open {
    if open.listener == *listener {
        return open;
    }
    info!(event = "changed-listener", address = open.address;
        "Who comes to {} comes on new terms", open.address);
    if let Endpoint::Unix(path) = &listener.endpoint
        && listener.mode != open.listener.mode
        && !open.is_passed
        && let Err(error) = fs::set_permissions(path, Permissions::from_mode(listener.mode))
    {
        error!(event = "not-reloaded";
            "Cannot change who may use {}: {}", open.address, reason(&error));
    }
    let terms = match open.terms {
        Held::Stream(old) => {
            let new = Arc::new(old.renewed(listener));
            orders.push(Order::Change(old, Arc::clone(&new)));
            Held::Stream(new)
        }
        Held::Datagram(rules) => {
            rules.set_rate(listener.rate);
            Held::Datagram(rules)
        }
    };
    Open { listener: listener.clone(), terms, ..open }
}

/// Listens there as well, if the system lets us.
fn listen<T>(listener: &Listener, orders: &Orders<'_, T>) -> Option<Open> {
    let first = &orders.shared.told.first;
    match bind(listener, first.reuse_port, first.workers.get()) {
        Ok(bound) => {
            let open = Open::new(listener, &bound);
            info!(event = "started", address = open.address;
                "Echo server started on {}", open.address);
            match bound {
                Bound::Stream(listening) => orders.push(Order::Open(listening)),
                Bound::Datagram(listener) => orders.shared.serve(listener),
            }
            Some(open)
        }
        Err(error) => {
            error!(event = "not-reloaded"; "The server {error}; the others go on");
            None
        }
    }
}
