//! The plan of a reload: which sockets stay, which are bound, and which close.
//!
//! A listener has a socket for each address of its host. The plan compares addresses, so a socket stays open if the
//! configuration names its host in another way, and the addresses of a name may change.

use std::mem;

use log::warn;

use super::{fault_check::check_faults, open_listener::OpenListener};
use crate::{
    config::Listener,
    listener::{Address, BindError, Binder, BoundListener, Sibling, skip_missing_addresses},
};

/// The next state of a socket of a configured listener.
pub(super) enum Next {
    /// The socket stays.
    Keep(OpenListener),
    /// The socket is new.
    Open(Address, BoundListener),
    /// The socket is bound after another one has freed its port.
    Postpone(Address),
}

/// The plan of a reload.
pub(super) struct Plan<'a> {
    /// The sockets of each configured listener.
    pub(super) next: Vec<(&'a Listener, Vec<Next>)>,
    /// The open sockets that close.
    pub(super) closing: Vec<OpenListener>,
}

/// The sockets that a configured listener needs, each with the index of an open one, if that serves it.
struct RequiredSockets<'a> {
    listener: &'a Listener,
    /// The address, or `None` for an inherited socket.
    sockets: Vec<(Option<Address>, Option<usize>)>,
}

impl<'a> Plan<'a> {
    /// Binds the new sockets. Takes the open listeners out of `open` if it succeeds.
    ///
    /// # Errors
    ///
    /// If one cannot be bound, although no listener that closes has its port.
    pub(super) fn new(
        open: &mut Vec<OpenListener>,
        listeners: &'a [Listener],
        binder: Binder<'_>,
    ) -> Result<Self, BindError> {
        listeners.iter().try_for_each(check_faults)?;
        // Each open socket is kept once at most.
        let mut unused: Vec<_> = (0..open.len()).collect();
        let required =
            listeners.iter().map(|listener| required_sockets(open, listener, &mut unused));
        let required = required.collect::<Result<Vec<_>, _>>()?;
        let blocks =
            |listener: &Listener| unused.iter().any(|&index| open[index].shares_port(listener));
        let new = required.iter().map(|required| bind(open, required, &blocks, binder));
        let new = new.collect::<Result<Vec<_>, _>>()?;
        let mut open: Vec<_> = mem::take(open).into_iter().map(Some).collect();
        let next = required.into_iter().zip(new).map(|(required, new)| {
            let kept = required.sockets.into_iter().filter_map(|(_, kept)| open[kept?].take());
            let kept = kept.map(Next::Keep);
            (required.listener, kept.chain(new).collect())
        });
        Ok(Self { next: next.collect(), closing: open.into_iter().flatten().collect() })
    }
}

/// Returns the sockets that a listener needs, and removes those that are open from `unused`.
fn required_sockets<'a>(
    open: &[OpenListener],
    listener: &'a Listener,
    unused: &mut Vec<usize>,
) -> Result<RequiredSockets<'a>, BindError> {
    let mut keep = |matches: &dyn Fn(&OpenListener) -> bool| {
        let at = unused.iter().position(|&index| matches(&open[index]))?;
        Some(unused.remove(at))
    };
    if let Some(inherited) = keep(&|socket| socket.is_inherited_for(listener)) {
        return Ok(RequiredSockets { listener, sockets: vec![(None, Some(inherited))] });
    }
    let sockets = addresses(open, listener)?.into_iter().map(|address| {
        let kept = keep(&|socket| socket.serves(listener, &address));
        (Some(address), kept)
    });
    Ok(RequiredSockets { listener, sockets: sockets.collect() })
}

/// Resolves the addresses of a listener. If its name no longer resolves, its open sockets stay.
fn addresses(open: &[OpenListener], listener: &Listener) -> Result<Vec<Address>, BindError> {
    Address::resolve(&listener.endpoint).or_else(|error| {
        let same = open.iter().filter(|socket| socket.listener.endpoint == listener.endpoint);
        let known: Vec<_> = same.filter_map(|socket| socket.requested.clone()).collect();
        if known.is_empty() {
            return Err(error);
        }
        warn!(event = "not-reloaded"; "{error}; its present addresses stay open");
        Ok(known)
    })
}

/// Binds the sockets of a listener that are not open yet.
fn bind(
    open: &[OpenListener],
    required: &RequiredSockets<'_>,
    blocks: &dyn Fn(&Listener) -> bool,
    binder: Binder<'_>,
) -> Result<Vec<Next>, BindError> {
    let RequiredSockets { listener, sockets } = required;
    let kept = sockets.iter().find_map(|(_, kept)| *kept);
    let sibling = kept.map(|index| &open[index].sibling);
    let new = sockets.iter().filter(|(_, kept)| kept.is_none());
    let addresses: Vec<_> = new.filter_map(|(address, _)| address.clone()).collect();
    let bound = binder.bind(listener, &addresses, sibling);
    let next = addresses.into_iter().zip(bound).map(|(address, bound)| match bound {
        Ok(bound) => Ok(Next::Open(address, bound)),
        Err(error) if error.is_in_use() && blocks(listener) => Ok(Next::Postpone(address)),
        Err(error) => Err(error),
    });
    skip_missing_addresses(next.collect(), kept.is_some())
}

impl Next {
    /// Returns the port and the policy of an open socket, for the other sockets of its listener.
    pub(super) fn sibling(&self) -> Option<Sibling> {
        match self {
            Self::Keep(open) => Some(open.sibling.clone()),
            Self::Open(_, bound) => Some(Sibling::of(bound)),
            Self::Postpone(_) => None,
        }
    }
}
