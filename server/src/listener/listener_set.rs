//! The listeners of the acceptor, and which of them have connections in their backlog.

use std::{collections::VecDeque, io, sync::Arc};

use mio::{Interest, Poll, Token};
use slab::Slab;

use super::{control::Ack, listening_socket::StreamListener};
use crate::{admission::ConnectionPolicy, config::limits, shared::WAKE};

/// The listeners of the acceptor, each registered with its poll.
#[derive(Default)]
pub(super) struct ListenerSet {
    slots: Slab<Slot>,
    /// Listeners that may have a connection in their backlog, in the order of their turns.
    pub(super) ready: VecDeque<usize>,
}

/// A listener and the state of its backlog.
pub(super) struct Slot {
    pub(super) listener: StreamListener,
    /// A connection has been accepted since the backlog was last found empty.
    pub(super) has_accepted: bool,
    pub(super) closing: Option<Closing>,
}

/// A listener that closes when its backlog is empty.
pub(super) struct Closing {
    /// Limit on the connections that are still accepted: no backlog holds more.
    pub(super) left: usize,
    _ack: Ack,
}

impl ListenerSet {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
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

    /// Closes a listener as soon as its backlog is empty.
    pub(super) fn begin_close(&mut self, policy: &Arc<ConnectionPolicy>, ack: Ack) {
        if let Some(key) = self.find(policy) {
            let left = usize::try_from(limits::BACKLOG).unwrap_or(usize::MAX);
            self.slots[key].closing = Some(Closing { left, _ack: ack });
            self.mark_ready(key);
        }
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

    /// Marks all listeners: the poll may not have reported yet which of them are ready.
    pub(super) fn mark_all_ready(&mut self) {
        self.ready = self.slots.iter().map(|(key, _)| key).collect();
    }

    pub(super) fn slot_mut(&mut self, key: usize) -> &mut Slot {
        &mut self.slots[key]
    }

    /// Returns the listener with this policy.
    fn find(&self, policy: &Arc<ConnectionPolicy>) -> Option<usize> {
        let is_its = |slot: &Slot| Arc::ptr_eq(&slot.listener.policy, policy);
        self.slots.iter().find(|(_, slot)| is_its(slot)).map(|(key, _)| key)
    }
}
