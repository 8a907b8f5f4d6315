//! Another configuration for a server that runs: what can change does, and nobody who is connected
//! notices.
//!
//! What threads look at is changed where they look. Listeners are the acceptor's, which is sent orders.

use std::{
    convert::Infallible,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, Sender},
    },
};

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
    /// A server was told `config`, and these are its listeners, in the configuration's order.
    pub(crate) fn new(config: &Config, bound: &[Bound]) -> Self {
        let listeners = config.listeners.iter().zip(bound);
        let open = listeners.map(|(listener, bound)| Open::new(listener, bound)).collect();
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
        Self { listener: listener.clone(), address: bound.address(), terms }
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
    // First, so that others can have their addresses.
    let orders = Orders::to(shared);
    close_all_but(&config.listeners, &mut open, &orders);
    orders.wait();
    let orders = Orders::to(shared);
    for listener in &config.listeners {
        listen(listener, &mut open, &orders);
    }
    orders.wait();
    told.first.fixed_differences(config).collect()
}

/// Closes the listeners that are not among these.
fn close_all_but<T>(listeners: &[Listener], open: &mut Vec<Open>, orders: &Orders<'_, T>) {
    let is_gone =
        |open: &mut Open| !listeners.iter().any(|kept| kept.is_same_place(&open.listener));
    for open in open.extract_if(.., is_gone) {
        info!(event = "closed-listener", address = open.address;
            "No longer listening on {}", open.address);
        match open.terms {
            Held::Stream(terms) => orders.push(Order::Close(terms)),
            Held::Datagram(rules) => orders.shared.withdraw(rules, orders.told.clone()),
        }
    }
}

/// Listens there on these terms, if it does not yet.
fn listen<T>(listener: &Listener, open: &mut Vec<Open>, orders: &Orders<'_, T>) {
    let first = &orders.shared.told.first;
    match open.iter_mut().find(|open| open.listener.is_same_place(listener)) {
        Some(open) if open.listener == *listener => {}
        Some(open) => {
            open.listener = listener.clone();
            info!(event = "changed-listener", address = open.address;
                "Who comes to {} comes on new terms", open.address);
            match &mut open.terms {
                Held::Stream(terms) => {
                    let renewed = Arc::new(terms.renewed(listener));
                    let old = mem::replace(terms, Arc::clone(&renewed));
                    orders.push(Order::Change(old, renewed));
                }
                Held::Datagram(rules) => rules.set_rate(listener.rate),
            }
        }
        None => match bind(listener, first.reuse_port, first.workers.get()) {
            Ok(bound) => {
                open.push(Open::new(listener, &bound));
                let address = bound.address();
                info!(event = "started", address; "Echo server started on {address}");
                match bound {
                    Bound::Stream(listening) => orders.push(Order::Open(listening)),
                    Bound::Datagram(listener) => orders.shared.serve(listener),
                }
            }
            Err(error) => error!(event = "not-reloaded"; "The server {error}; the others go on"),
        },
    }
}
