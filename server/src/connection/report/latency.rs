//! The time from the beginning of a turn until the socket has taken the last byte of its echoes, for a sample of the turns.

use std::time::Instant;

use crate::{
    connection::{connection::Connection, stream::Stream},
    telemetry::ConnectionId,
};

/// The messages that a connection had received before a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    id: ConnectionId,
    messages: u64,
}

impl<S: Stream> Connection<S> {
    pub(crate) fn progress(&self) -> Progress {
        Progress { id: self.id, messages: self.totals.messages_received }
    }

    /// Records the latency of the messages that were received in a turn, or has the send buffer record it when it is empty.
    pub(crate) fn record_latency(&mut self, before: Progress, begun: Instant) {
        // Another connection may have taken the place of this one.
        if before.id != self.id || self.totals.messages_received <= before.messages {
            return;
        }
        match &mut self.send_buffer {
            Some(send_buffer) => send_buffer.measure_from(begun),
            None => self.counters.latency.record(begun.elapsed()),
        }
    }
}
