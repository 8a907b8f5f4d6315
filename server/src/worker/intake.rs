//! Connections that come to a worker and leave it.

use mio::{Interest, Token, event::Source};

use super::{slot::Slot, worker::Worker};
use crate::{
    config::limits,
    connection::{Connection, Incoming, Stream},
};

/// The permanent interest in a connection: bytes, including urgent ones.
pub(super) const READ: Interest = Interest::READABLE.add(Interest::PRIORITY);

impl<S: Stream + Source> Worker<'_, S> {
    pub(super) fn take_connections(&mut self) {
        for _ in 0..limits::TURN_TAKES {
            match self.shared.dispatch.take(self.index) {
                Some(Incoming::New(stream, peer, permit)) => {
                    self.telemetry.assigned();
                    self.add(Connection::new(stream, &peer, permit, self.now), false);
                }
                Some(Incoming::Migrated(connection)) => self.add(*connection, true),
                None => return,
            }
        }
    }

    /// Registers a connection. A migrated one gets a turn, since it may have been ready at its old worker.
    pub(super) fn add(&mut self, connection: Connection<S>, is_migrated: bool) {
        let key = self.connections.insert(Slot::new(connection));
        let stream = self.connections[key].connection.stream_mut();
        if let Err(error) = self.poll.registry().register(stream, Token(key), READ) {
            self.telemetry.registration_failed(self.connections[key].connection.peer(), &error);
            self.remove(key);
            return;
        }
        if self.draining {
            self.connections[key].connection.drain();
        }
        if self.draining || is_migrated {
            self.queue(key);
        }
        self.arm(key);
    }

    /// Closes a connection. Closing its socket also removes it from the poll.
    pub(super) fn remove(&mut self, key: usize) {
        let slot = self.take_out(key);
        self.shared.dispatch.release(self.index);
        let (peer, is_logged) = (slot.connection.peer().to_owned(), slot.connection.is_logged());
        drop(slot);
        if is_logged {
            self.telemetry.closed(&peer);
        } else {
            self.telemetry.probe_closed(&peer);
        }
    }

    pub(super) fn take_out(&mut self, key: usize) -> Slot<S> {
        let slot = self.connections.remove(key);
        if slot.queued {
            self.ready.retain(|&ready| ready != key);
        }
        slot
    }
}
