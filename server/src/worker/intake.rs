//! Connections that come to a worker and leave it.

use std::{io, sync::Arc};

use mio::{Interest, Token, event::Source};

use super::{slot::Slot, worker::Worker};
use crate::{
    config::limits,
    connection::{Connection, Incoming, Stream},
    telemetry::{CloseReason, ConnectionEvent, ConnectionId},
};

/// Entry of the ready list whose connection has ended. No connection and no UDP socket has this key.
const NOBODY: usize = usize::MAX / 2;

/// The permanent interest in a connection: bytes, including urgent ones.
pub(super) const READ: Interest = Interest::READABLE.add(Interest::PRIORITY);

impl<S: Stream + Source> Worker<'_, S> {
    pub(super) fn take_connections(&mut self) {
        for _ in 0..limits::TURN_TAKES {
            match self.shared.dispatch.take(self.index) {
                Some(Incoming::New { stream, peer, permit, accepted_at, faults }) => {
                    let counters = Arc::clone(permit.policy().counters.worker(self.index));
                    let waited = self.now.saturating_duration_since(accepted_at);
                    self.telemetry.assigned(&counters, waited);
                    #[cfg(feature = "rooms")]
                    let is_room = permit.policy().options.room.is_some();
                    let mut connection =
                        Connection::new(stream, &peer, permit, counters, accepted_at, self.now);
                    #[cfg(feature = "rooms")]
                    if is_room {
                        connection.use_rooms(&self.shared.rooms);
                    }
                    if faults.is_some() || connection.listener_has_faults() {
                        // The connection may be younger than the iteration.
                        let now = self.now.max(accepted_at);
                        connection.begin_with_faults(faults, now, &self.telemetry);
                        self.use_precise_timer();
                    }
                    self.add(connection, false);
                }
                Some(Incoming::Migrated(connection)) => self.add(*connection, true),
                None => return,
            }
        }
    }

    /// Registers a connection. A migrated one gets a turn, since it may have been ready at its old worker.
    pub(super) fn add(&mut self, mut connection: Connection<S>, is_migrated: bool) {
        if is_migrated {
            connection.count_for(self.index);
        } else {
            connection.set_id(self.next_id());
        }
        // Faults may have changed while it was in the queue.
        if is_migrated && (connection.has_faults() || connection.listener_has_faults()) {
            connection.update_faults(self.now, &self.telemetry);
            self.use_precise_timer();
        }
        let key = self.connections.insert(Slot::new(connection));
        let stream = self.connections[key].connection.stream_mut();
        if let Err(error) = self.poll.registry().register(stream, Token(key), READ) {
            return self.fail_registration(key, &error);
        }
        if self.draining {
            self.connections[key].connection.drain();
        }
        let has_faults = self.connections[key].connection.fault_plan().is_some();
        if self.draining || is_migrated || has_faults {
            self.queue(key);
        }
        self.arm(key);
        #[cfg(feature = "rooms")]
        if is_migrated {
            self.introduce(key);
        }
        #[cfg(feature = "login")]
        if is_migrated {
            self.end_removed_user(key);
        }
    }

    /// Gives the open connections and the UDP sockets the faults that their listeners have now.
    #[cold]
    pub(super) fn update_faults(&mut self) {
        self.udp_sockets.update_faults(&mut self.ready);
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            if self.connections[key].connection.update_faults(self.now, &self.telemetry) {
                self.use_precise_timer();
                self.queue(key);
            }
        }
    }

    /// Closes the connections of users whom a reload has removed.
    #[cfg(feature = "login")]
    pub(super) fn close_removed_users(&mut self) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.end_removed_user(key);
        }
    }

    /// Returns the identity of a new connection, which gets the next vacant slot.
    fn next_id(&mut self) -> ConnectionId {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        // A worker has fewer connections than the system has descriptors.
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let slot = number(self.connections.vacant_key());
        ConnectionId { worker: number(self.index), slot, generation }
    }

    /// Closes a connection.
    pub(super) fn remove(&mut self, key: usize) {
        let slot = self.take_out(key);
        self.shared.dispatch.release(self.index);
        slot.connection.close(self.now, &self.telemetry);
    }

    /// Closes a connection for a reason that only the worker knows.
    pub(super) fn remove_because(
        &mut self,
        key: usize,
        reason: CloseReason,
        event: ConnectionEvent<'_>,
    ) {
        let connection = &mut self.connections[key].connection;
        connection.end_with(reason, event, &self.telemetry);
        self.remove(key);
    }

    /// Closes a connection whose socket the poll refuses.
    pub(super) fn fail_registration(&mut self, key: usize, error: &io::Error) {
        let event = ConnectionEvent::RegistrationFailed { error };
        self.remove_because(key, CloseReason::SocketError, event);
    }

    pub(super) fn take_out(&mut self, key: usize) -> Slot<S> {
        let slot = self.connections.remove(key);
        #[cfg(feature = "rooms")]
        if let Some(rooms) = &mut self.rooms {
            rooms.forget(slot.connection.id());
        }
        if slot.queued {
            // The list keeps its length: a connection can end in the turn of another one, or of its room.
            self.ready.iter_mut().filter(|ready| **ready == key).for_each(|ready| *ready = NOBODY);
            self.ready_handshakes.retain(|&ready| ready != key);
        }
        slot
    }
}
