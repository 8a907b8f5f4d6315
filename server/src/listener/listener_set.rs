//! The listeners of the acceptor, and which of them have connections in their backlog.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use common::reason::reason;
use log::debug;
use mio::{Interest, Poll, Token};
use slab::Slab;

use super::{
    closing::{Closing, Handshakes},
    control::Ack,
    listening_socket::StreamListener,
};
use crate::{admission::ConnectionPolicy, config::limits, shared::WAKE};

/// The listeners of the acceptor, each registered with its poll.
#[derive(Default)]
pub(super) struct ListenerSet {
    slots: Slab<Slot>,
    /// Listeners that may have a connection in their backlog, in the order of their turns.
    pub(super) ready: VecDeque<usize>,
    /// The time of the next check for handshakes.
    check_at: Option<Instant>,
}

/// A listener and the state of its backlog.
pub(super) struct Slot {
    pub(super) listener: StreamListener,
    /// A connection has been accepted since the backlog was last found empty.
    pub(super) has_accepted: bool,
    /// It closes when its backlog is empty.
    pub(super) closing: Option<Closing>,
}

impl ListenerSet {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn add(&mut self, listener: StreamListener, poll: &Poll) -> io::Result<()> {
        let slot = Slot { listener, has_accepted: false, closing: None };
        let key = self.slots.insert(slot);
        debug_assert_ne!(Token(key), WAKE);
        let source = self.slots[key].listener.socket.source();
        poll.registry().register(source, Token(key), Interest::READABLE).inspect_err(|_| {
            self.slots.remove(key);
        })
    }

    pub(super) fn change(&mut self, old: &Arc<ConnectionPolicy>, new: Arc<ConnectionPolicy>) {
        if let Some(key) = self.find(old) {
            self.slots[key].listener.policy = new;
        }
    }

    /// Closes a listener as soon as its backlog is empty and no handshake is in progress.
    pub(super) fn begin_close(&mut self, policy: &Arc<ConnectionPolicy>, ack: Ack) {
        if let Some(key) = self.find(policy) {
            let slot = &mut self.slots[key];
            slot.closing = Some(Closing::begin(&slot.listener, Instant::now(), Some(ack)));
            self.check_at = None;
            self.mark_ready(key);
        }
    }

    /// Closes all listeners in the same way.
    pub(super) fn begin_close_all(&mut self) {
        let now = Instant::now();
        for (_, slot) in &mut self.slots {
            slot.closing.get_or_insert_with(|| Closing::begin(&slot.listener, now, None));
        }
        self.check_at = None;
        // The poll may not have reported yet which of them have connections in their backlog.
        self.ready = self.slots.iter().map(|(key, _)| key).collect();
    }

    /// Closes a listener. Closing its socket also removes it from the poll.
    pub(super) fn close(&mut self, key: usize) {
        self.slots.remove(key);
        self.ready.retain(|&ready| ready != key);
    }

    /// Marks a listener, if it is open, as one that may have a connection in its backlog.
    pub(super) fn mark_ready(&mut self, key: usize) {
        if self.slots.contains(key) && !self.ready.contains(&key) {
            self.ready.push_back(key);
        }
    }

    /// Checks whether the handshakes with closing listeners have ended, and marks those whose have. Returns the time until
    /// the next check, if one is needed.
    pub(super) fn check_handshakes(&mut self) -> Option<Duration> {
        let waiting: Vec<(usize, SocketAddr)> = self.slots.iter().filter_map(waits).collect();
        if waiting.is_empty() {
            return None;
        }
        let now = Instant::now();
        if let Some(at) = self.check_at.filter(|at| now < *at) {
            return Some(at - now);
        }
        let with_ipv6 = waiting.iter().any(|(_, address)| address.is_ipv6());
        let in_progress = Handshakes::in_progress(with_ipv6).unwrap_or_else(|error| {
            debug!("Cannot tell which handshakes are in progress: {}", reason(&error));
            Handshakes::default()
        });
        for (key, _) in waiting {
            let closing = self.slots[key].closing.as_mut();
            if closing.is_some_and(|closing| closing.check(&in_progress, now)) {
                self.mark_ready(key);
            }
        }
        self.check_at = Some(now + limits::HANDSHAKE_CHECK);
        Some(if self.ready.is_empty() { limits::HANDSHAKE_CHECK } else { Duration::ZERO })
    }

    /// Returns the addresses of the listeners that have connections in their backlog.
    pub(super) fn with_backlog(&self) -> impl Iterator<Item = String> {
        let listeners = self.slots.iter().map(|(_, slot)| &slot.listener);
        listeners.filter(|listener| listener.socket.is_readable()).map(StreamListener::address)
    }

    pub(super) fn slot_mut(&mut self, key: usize) -> &mut Slot {
        &mut self.slots[key]
    }

    /// Returns the listener with this policy.
    fn find(&self, policy: &Arc<ConnectionPolicy>) -> Option<usize> {
        let has_policy = |slot: &Slot| Arc::ptr_eq(&slot.listener.policy, policy);
        self.slots.iter().find(|(_, slot)| has_policy(slot)).map(|(key, _)| key)
    }
}

/// Returns the key and the address of a listener that waits for handshakes.
fn waits((key, slot): (usize, &Slot)) -> Option<(usize, SocketAddr)> {
    Some((key, slot.closing.as_ref()?.waits_for_handshakes_with()?))
}
